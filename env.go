package modelarts

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
)

// NewClientFromEnv makes a client from the environment, in the names that the official SDK (HUAWEICLOUD_SDK_*),
// Terraform (HW_*) and Open Telekom Cloud's tools (OS_*) have given to things. Of each row the first one that
// is set counts; the package documentation has the table.
//
// It may ask the instance metadata service for keys and IAM for a project id, and nothing else. What is
// missing is an error that names the variables which would supply it. Apart from the providers of
// credentials it is the only code of this package that reads the environment.
func NewClientFromEnv(ctx context.Context, opts ...Option) (*Client, error) {
	o, err := newOptions(opts)
	if err != nil {
		return nil, err
	}
	ctx = &callContext{Context: ctx, logger: o.log} // providers warn there
	region := firstEnv("MODELARTS_REGION", "HW_REGION_NAME", "OS_REGION_NAME")
	endpoint, err := endpointFromEnv(region)
	if err != nil {
		return nil, err
	}
	e := environment{opts: opts, region: region}
	e.projectID = firstEnv("HUAWEICLOUD_SDK_PROJECT_ID", "HW_PROJECT_ID", "OS_PROJECT_ID")
	e.projectName = first(firstEnv("HW_PROJECT_NAME", "OS_PROJECT_NAME"), region)
	auth, err := e.authenticator(ctx)
	if err != nil {
		return nil, err
	}
	if e.projectID == "" {
		if e.projectName == "" {
			return nil, errors.New("modelarts: no project: set HUAWEICLOUD_SDK_PROJECT_ID, HW_PROJECT_ID or OS_PROJECT_ID, or a region or HW_PROJECT_NAME to look it up by name")
		}
		if e.projectID, err = e.lookUpProject(ctx, auth); err != nil {
			return nil, err
		}
	}
	return NewClient(endpoint, e.projectID, auth, opts...)
}

// lookUpProject asks IAM for the id of the project.
func (e *environment) lookUpProject(ctx context.Context, auth Authenticator) (string, error) {
	iam, err := e.iam()
	if err == nil {
		var id string
		if id, err = iam.ProjectID(ctx, auth, e.projectName); err == nil {
			return id, nil
		}
	}
	if errors.Is(err, ErrUnauthorized) {
		return "", err // which a project id would not mend
	}
	return "", fmt.Errorf("%w; set HUAWEICLOUD_SDK_PROJECT_ID, HW_PROJECT_ID or OS_PROJECT_ID to skip the look-up", err)
}

func endpointFromEnv(region string) (string, error) {
	if endpoint := os.Getenv("MODELARTS_ENDPOINT"); endpoint != "" {
		return endpoint, nil
	}
	if region == "" {
		return "", errors.New("modelarts: no endpoint: set MODELARTS_ENDPOINT, or a region in MODELARTS_REGION, HW_REGION_NAME or OS_REGION_NAME")
	}
	list := os.Getenv("HUAWEICLOUD_SDK_REGION_MODELARTS_" + strings.ToUpper(strings.ReplaceAll(region, "-", "_")))
	if endpoint, _, _ := strings.Cut(list, ","); strings.TrimSpace(endpoint) != "" {
		return withScheme(strings.TrimSpace(endpoint)), nil
	}
	return EndpointForRegion(region)
}

// withScheme completes an endpoint as the official SDK does.
func withScheme(endpoint string) string {
	if strings.Contains(endpoint, "://") {
		return endpoint
	}
	return "https://" + endpoint
}

// An environment is what NewClientFromEnv has found so far.
type environment struct {
	opts                           []Option
	region, projectID, projectName string
}

// authenticator takes the first source that is configured.
func (e *environment) authenticator(ctx context.Context) (Authenticator, error) {
	var none []error
	for _, source := range []func(context.Context) (Authenticator, error){
		e.keys, e.token, e.password, e.oidc, e.profile, e.metadata,
	} {
		auth, err := source(ctx)
		switch {
		case errors.Is(err, ErrNoCredentials):
			none = append(none, err)
		case auth != nil || err != nil:
			return auth, err
		}
	}
	return nil, e.nothing(none)
}

// signerFor returns a signer if the provider has keys; that asks it already, and fills the signer's cache.
func signerFor(ctx context.Context, provider CredentialsProvider) (Authenticator, error) {
	signer := NewSigner(provider)
	if _, err := signer.state().cache.get(ctx); err != nil {
		return nil, err
	}
	return signer, nil
}

func (e *environment) keys(ctx context.Context) (Authenticator, error) {
	return signerFor(ctx, EnvCredentials())
}

func (e *environment) token(context.Context) (Authenticator, error) {
	if token := firstEnv("HW_AUTH_TOKEN", "OS_AUTH_TOKEN", "OS_TOKEN"); token != "" {
		return TokenAuth(token), nil
	}
	return nil, nil
}

func (e *environment) password(context.Context) (Authenticator, error) {
	login, found, err := e.passwordLogin()
	if !found || err != nil {
		return nil, err
	}
	iam, err := e.iam()
	if err != nil {
		return nil, err
	}
	return iam.PasswordAuth(login), nil
}

func (e *environment) oidc(context.Context) (Authenticator, error) {
	const idp, tokenFile = "HUAWEICLOUD_SDK_IDP_ID", "HUAWEICLOUD_SDK_ID_TOKEN_FILE"
	found, err := envSet(idp, tokenFile)
	if !found || err != nil {
		return nil, err
	}
	iam, err := e.iam()
	if err != nil {
		return nil, err
	}
	return NewSigner(iam.OIDCCredentials(os.Getenv(idp), os.Getenv(tokenFile))), nil
}

// profile brings the project id along, which counts only where the keys beside it do.
func (e *environment) profile(ctx context.Context) (Authenticator, error) {
	auth, err := signerFor(ctx, ProfileCredentials(""))
	if err != nil {
		return nil, err
	}
	if e.projectID == "" {
		if p, err := readProfile("", logger{}); err == nil {
			e.projectID = p.values["project_id"]
		}
	}
	return auth, nil
}

func (e *environment) metadata(ctx context.Context) (Authenticator, error) {
	auth, err := signerFor(ctx, MetadataCredentials())
	if err != nil && !errors.Is(err, ErrNoCredentials) {
		err = fmt.Errorf("%w; for credentials from elsewhere %s", err, otherSources)
	}
	return auth, err
}

const otherSources = "set HUAWEICLOUD_SDK_AK and HUAWEICLOUD_SDK_SK, HW_ACCESS_KEY and HW_SECRET_KEY, or OS_ACCESS_KEY and OS_SECRET_KEY;" +
	" or a token in HW_AUTH_TOKEN, OS_AUTH_TOKEN or OS_TOKEN;" +
	" or a login in HW_USER_NAME, HW_USER_PASSWORD and HW_DOMAIN_NAME, or OS_USERNAME, OS_PASSWORD and OS_DOMAIN_NAME;" +
	" or HUAWEICLOUD_SDK_IDP_ID and HUAWEICLOUD_SDK_ID_TOKEN_FILE; or a profile"

func (e *environment) nothing(sources []error) error {
	parts := []string{ErrNoCredentials.Error() + ": " + otherSources}
	for _, err := range sources {
		parts = append(parts, err.Error())
	}
	return &noCredentialsError{text: strings.Join(parts, "; "), sources: sources}
}

// passwordLogin reads a login. Names of domains are set for other purposes too, so that they alone make none.
func (e *environment) passwordLogin() (PasswordLogin, bool, error) {
	for _, names := range []struct {
		user, password string
		domains        []string
	}{
		{"HW_USER_NAME", "HW_USER_PASSWORD", []string{"HW_DOMAIN_NAME"}},
		{"OS_USERNAME", "OS_PASSWORD", []string{"OS_USER_DOMAIN_NAME", "OS_DOMAIN_NAME"}},
	} {
		found, err := envSet(names.user, names.password)
		if err != nil {
			return PasswordLogin{}, false, err
		}
		if !found {
			continue
		}
		domain := firstEnv(names.domains...)
		if domain == "" {
			return PasswordLogin{}, false, fmt.Errorf("modelarts: %s and %s are set, but %s is not", names.user, names.password, strings.Join(names.domains, " or "))
		}
		login := PasswordLogin{
			DomainName: domain, UserName: os.Getenv(names.user), Password: os.Getenv(names.password),
			ProjectID: e.projectID, ProjectName: e.projectName,
		}
		if err := login.validate(); err != nil {
			return PasswordLogin{}, false, fmt.Errorf("%w: set HUAWEICLOUD_SDK_PROJECT_ID, HW_PROJECT_ID, OS_PROJECT_ID, HW_PROJECT_NAME or a region", err)
		}
		return login, true, nil
	}
	return PasswordLogin{}, false, nil
}

// iam returns the IAM of the environment's region.
func (e *environment) iam() (*IAM, error) {
	endpoint := firstEnv("HUAWEICLOUD_SDK_IAM_ENDPOINT", "HW_AUTH_URL", "OS_AUTH_URL")
	if endpoint == "" {
		if e.region == "" {
			return nil, errors.New("modelarts: no IAM endpoint: set HUAWEICLOUD_SDK_IAM_ENDPOINT, HW_AUTH_URL or OS_AUTH_URL, or a region in MODELARTS_REGION, HW_REGION_NAME or OS_REGION_NAME")
		}
		var err error
		if endpoint, err = IAMEndpointForRegion(e.region); err != nil {
			return nil, err
		}
	}
	return NewIAM(withScheme(endpoint), e.opts...)
}
