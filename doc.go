// Package modelarts keeps a dataset of Huawei Cloud ModelArts in step with its source in object storage: it
// starts a synchronization, tells how it stands, and waits until it is done or has failed.
//
//	signer := modelarts.NewSigner(modelarts.Credentials{AccessKey: ak, SecretKey: sk})
//	client, err := modelarts.NewClient("https://modelarts.cn-north-4.myhuaweicloud.com", projectID, signer)
//	if err != nil {
//		return err
//	}
//	status, err := client.Sync(ctx, datasetID, nil)
//
// [Client.GetSyncStatus] asks once. [Client.StartSync], [Client.WaitSync] and [Client.WatchSync] are the parts
// of [Client.Sync]. [Client.FindDataset] and [Client.Datasets] find the dataset. [Client.NewRequest] and
// [Client.Do] reach whatever else the service has.
//
// # Credentials
//
// [NewSigner] signs with an access key and a secret key, from a [CredentialsProvider]: a [Credentials] value,
// [EnvCredentials], [ProfileCredentials], [MetadataCredentials], a [ChainCredentials] of them, or temporary
// keys from [IAM.AgencyCredentials] and [IAM.OIDCCredentials]. [TokenAuth] sends a token, and
// [IAM.PasswordAuth] gets and renews one by a login. Whatever expires is renewed in time, once for all
// goroutines. Any other [Authenticator] can take their place.
//
// # The environment
//
// Only [NewClientFromEnv], [EnvCredentials], [ProfileCredentials] and [MetadataCredentials] read it. Of each
// row the first variable that is set wins; a set that is incomplete is an error that names what is missing.
//
//	endpoint          MODELARTS_ENDPOINT; HUAWEICLOUD_SDK_REGION_MODELARTS_<REGION>, the first of a comma
//	                  list; else from the region
//	region            MODELARTS_REGION, HW_REGION_NAME, OS_REGION_NAME
//	project id        HUAWEICLOUD_SDK_PROJECT_ID, HW_PROJECT_ID, OS_PROJECT_ID; that of the profile whose
//	                  keys are used; else looked up at IAM by HW_PROJECT_NAME, OS_PROJECT_NAME or the region
//	keys              HUAWEICLOUD_SDK_AK, HUAWEICLOUD_SDK_SK (and HUAWEICLOUD_SDK_SECURITY_TOKEN);
//	                  HW_ACCESS_KEY, HW_SECRET_KEY (and HW_SECURITY_TOKEN);
//	                  OS_ACCESS_KEY, OS_SECRET_KEY (and OS_SECURITY_TOKEN)
//	token             HW_AUTH_TOKEN, OS_AUTH_TOKEN, OS_TOKEN
//	password login    HW_USER_NAME, HW_USER_PASSWORD, HW_DOMAIN_NAME;
//	                  OS_USERNAME, OS_PASSWORD and OS_USER_DOMAIN_NAME or OS_DOMAIN_NAME
//	OIDC              HUAWEICLOUD_SDK_IDP_ID, HUAWEICLOUD_SDK_ID_TOKEN_FILE
//	IAM endpoint      HUAWEICLOUD_SDK_IAM_ENDPOINT, HW_AUTH_URL, OS_AUTH_URL; else from the region
//	profile file      HUAWEICLOUD_SDK_CREDENTIALS_FILE; else ~/.huaweicloud/credentials
//	instance metadata MODELARTS_METADATA_ENDPOINT instead of the well-known address;
//	                  MODELARTS_METADATA_DISABLED=true leaves it out
//
// [NewClientFromEnv] takes the first of keys, token, password login, OIDC, profile and instance metadata that
// is there.
//
// # Errors
//
// An answer that is not the success asked for is an [*APIError]. [ErrUnauthorized], [ErrForbidden],
// [ErrNotFound], [ErrDatasetNotFound], [ErrThrottled], [ErrConflict] and [ErrSyncRunning] tell what it means,
// by [errors.Is]; the service sends some of these under another status than one would think. A request
// without an answer unwraps to its cause. A task that failed is a [*SyncFailedError], from the waiting calls
// only. Every error is one line, and holds no secrets.
//
// # Retries
//
// These rules may become finer in later versions.
//
//   - For every method: a refused connection, a temporary failure of DNS, status 429, and the gateway's 503
//     with code APIGW.0613, since the request was certainly not carried out.
//   - For GET: a broken connection, a truncated answer, an attempt that took too long, and status 408, 500,
//     502, 503 and 504; but not ModelArts.4360, a synchronization that failed.
//   - Never: other answers, certificate errors, a context that has ended.
//
// Pauses grow exponentially with full jitter, see [RetryPolicy]. Retry-After is obeyed; when it exceeds
// MaxDelay, or a pause would outlast the context's deadline, the call returns at once. All calls of a client
// share a budget of 50 extra attempts, which refills by one a second and by a tenth for every success, so
// that an outage does not become a storm of retries; an error says so when the budget is used up.
//
// On top of that a call is repeated once when a secret has expired and was renewed, and once when this
// machine's clock was found to be off. No other 401 is repeated: the service locks a key for everybody after
// more than five bad signatures in a row. A [Signer] therefore stops by itself after three.
//
// [Client.StartSync] posts exactly once, whatever happens on the way; its comment tells how.
//
// # Testing
//
// Package modelartstest is a fake of the service, for tests without network and, in a [testing/synctest]
// bubble, without waiting.
package modelarts
