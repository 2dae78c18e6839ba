package modelarts_test

import (
	"bytes"
	"encoding/gob"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"html"
	"log/slog"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/modelarts-go/modelarts"
	"github.com/modelarts-go/modelarts/modelartstest"
)

// The secrets of these tests. Each begins in a way of its own, so that a part of one is found too.
const (
	redactToken         = "tok-canary/1+2==&<x>" + "-and-the-rest-of-a-long-token-that-goes-on-and-on-0123456789-0123456789-0123456789"
	redactSecretKey     = "sk-canary-\"quoted\"-key"
	redactSecurityToken = "sec-canary/3+4==-and-the-rest-of-a-long-token-that-goes-on-and-on-0123456789-0123456789"
	redactPassword      = "pw-canary-<&>\"'"
)

var redactCredentials = modelarts.Credentials{AccessKey: "AKIDENTIFIER", SecretKey: redactSecretKey, SecurityToken: redactSecurityToken}

// redactClean checks that a text has no secret, nor the beginning of one.
func redactClean(t *testing.T, what, text string, more ...string) {
	t.Helper()
	for _, secret := range append([]string{redactToken, redactSecretKey, redactSecurityToken, redactPassword}, more...) {
		begin := secret[:min(len(secret), 9)]
		assert.NotContains(t, text, begin, what)
		assert.NotContains(t, text, fmt.Sprintf("%x", begin), what)
		assert.NotContains(t, text, strings.Trim(fmt.Sprintf("%v", []byte(begin)), "[]"), what)
	}
}

// redactHolders are all values of this package that hold secrets, after they were used.
func redactHolders(t *testing.T) map[string]any {
	t.Helper()
	signer := modelarts.NewSigner(redactCredentials)
	answer := errsTransport(func(req *http.Request) (*http.Response, error) {
		if strings.HasSuffix(req.URL.Path, "/auth/tokens") {
			return errsResponse(req, 201, http.Header{"X-Subject-Token": {strings.ReplaceAll(redactToken, "<x>", "")}}, `{"token":{"expires_at":"2999-01-01T00:00:00Z"}}`), nil
		}
		return errsResponse(req, 200, nil, `{"status":"COMPLETED"}`), nil
	})
	iam, err := modelarts.NewIAM("https://iam.example", modelarts.WithHTTPClient(&http.Client{Transport: answer}))
	require.NoError(t, err)
	login := modelarts.PasswordLogin{DomainName: "domain", UserName: "user", Password: redactPassword, ProjectName: "cn-north-4"}
	password := iam.PasswordAuth(login)
	token := modelarts.TokenAuth(redactToken)
	holders := map[string]any{
		"Credentials": redactCredentials, "*Credentials": &redactCredentials,
		"PasswordLogin": login, "*PasswordLogin": &login,
		"Signer": signer, "Signer value": *signer, "TokenAuth": token, "IAM": iam, "IAM value": *iam, "PasswordAuth": password,
		"zero Signer": modelarts.Signer{}, "zero Client": modelarts.Client{},
		"ChainCredentials":  modelarts.ChainCredentials(redactCredentials),
		"AgencyCredentials": iam.AgencyCredentials(token, modelarts.Agency{Name: "a", DomainID: "d"}),
		"OIDCCredentials":   iam.OIDCCredentials("idp", "file"),
	}
	for name, auth := range map[string]modelarts.Authenticator{"signs": signer, "sends a token": token, "logs in": password} {
		client := errsClient(t, auth, answer)
		_, err := client.GetSyncStatus(t.Context(), "ds")
		require.NoError(t, err)
		holders["Client that "+name] = client
		holders["Client value that "+name] = *client
	}
	return holders
}

// redactPublic reports whether a holder has its secrets in fields that everybody may write.
func redactPublic(name string) bool {
	return strings.HasSuffix(name, "Credentials") && len(name) <= len("*Credentials") || strings.HasSuffix(name, "PasswordLogin")
}

func TestSecretsDoNotPrint(t *testing.T) {
	noLeaks(t)
	t.Parallel()
	type unexported struct {
		holder any
	}
	for name, holder := range redactHolders(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			verbs := "v s q d x X t b c e f g o O U z"
			if !redactPublic(name) {
				verbs += " p w" // with these two, fmt asks no method of a value that is no pointer or error
			}
			noVerb := strings.Clone("a mistake in the format") // which vet does not find
			values := map[string]any{
				"itself": holder, "pointer": &holder, "slice": []any{holder}, "map": map[string]any{"k": holder},
				"exported field":       struct{ Holder any }{holder},
				"pointer to a struct":  &struct{ Holder any }{holder},
				"struct in a struct":   struct{ Outer struct{ Holder any } }{struct{ Holder any }{holder}},
				"error that quotes it": fmt.Errorf("failed with %v", holder),
			}
			if !redactPublic(name) {
				values["unexported field"] = unexported{holder}
				values["pointer to an unexported field"] = &unexported{holder}
				values["unexported in exported"] = struct{ Outer []unexported }{[]unexported{{holder}}}
			}
			for where, value := range values {
				for verb := range strings.SplitSeq(verbs, " ") {
					for _, flags := range []string{"", "+", "#", "-20", "020.5", " "} {
						format := "%" + flags + verb
						redactClean(t, where+" "+format, fmt.Sprintf(format, value))
					}
				}
				redactClean(t, where+" Sprint", fmt.Sprint(value))
				redactClean(t, where+" extra", fmt.Sprintf(noVerb, value))
				var b bytes.Buffer
				log := slog.New(slog.NewTextHandler(&b, nil))
				log.Info("x", "value", value, "group", slog.GroupValue(slog.Any("value", value)))
				slog.New(slog.NewJSONHandler(&b, nil)).Info("x", "value", value)
				text, err := json.Marshal(value)
				b.Write(text)
				fmt.Fprintln(&b, err)
				text, err = xml.Marshal(value)
				b.Write(text)
				fmt.Fprintln(&b, err)
				fmt.Fprintln(&b, gob.NewEncoder(&b).Encode(value))
				redactClean(t, where+" encoded", b.String())
			}
		})
	}
}

func TestWhatIsPrintedInstead(t *testing.T) {
	noLeaks(t)
	t.Parallel()
	login := modelarts.PasswordLogin{DomainName: "domain", UserName: "us\ner", Password: redactPassword, ProjectName: "cn-north-4"}
	client := errsClient(t, modelarts.TokenAuth(redactToken), nil)
	for want, value := range map[string]any{
		// The access key is an identifier that goes over the wire with every request, and tells which key to look for.
		"modelarts.Credentials(AKIDENTIFIER, REDACTED)":                       redactCredentials,
		"modelarts.PasswordLogin(domain/us er for cn-north-4, REDACTED)":      &login,
		"modelarts.TokenAuth(REDACTED)":                                       modelarts.TokenAuth(redactToken),
		"modelarts.Signer(REDACTED)":                                          modelarts.NewSigner(redactCredentials),
		"modelarts.Client(" + errsEndpoint + ", project " + errsProject + ")": client,
	} {
		assert.Equal(t, want, fmt.Sprint(value))
		stringer, ok := value.(fmt.Stringer)
		require.True(t, ok)
		assert.Equal(t, want, stringer.String())
		assert.Equal(t, want, fmt.Sprintf("%#v", value))
		text, err := json.Marshal(map[string]any{"a": value})
		require.NoError(t, err)
		quoted, err := json.Marshal(want)
		require.NoError(t, err)
		assert.JSONEq(t, `{"a":`+string(quoted)+`}`, string(text))
	}
	text, err := json.Marshal(redactCredentials)
	require.NoError(t, err)
	require.Error(t, json.Unmarshal(text, new(modelarts.Credentials)), "redacted credentials must not come back as credentials")
}

// TestPanicsShowNoSecrets lets another process of this test panic with each holder, and reads what the runtime
// prints of it.
func TestPanicsShowNoSecrets(t *testing.T) {
	noLeaks(t)
	const variable = "MODELARTS_TEST_PANIC_WITH"
	if name := os.Getenv(variable); name != "" {
		panic(redactHolders(t)[name])
	}
	for _, name := range []string{"Credentials", "*Credentials", "*PasswordLogin", "Signer", "TokenAuth", "PasswordAuth", "Client that signs", "Client value that sends a token"} {
		process := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestPanicsShowNoSecrets$")
		process.Env = append(os.Environ(), variable+"="+name, "GOTRACEBACK=all")
		output, err := process.CombinedOutput()
		require.Error(t, err, name)
		require.Contains(t, string(output), "panic: ", name)
		redactClean(t, name, string(output))
	}
}

// TestNothingIsWrittenToFiles makes a whole synchronization, with keys from the environment, in a home, a place
// for temporary files and a working directory that are empty, and stay so.
func TestNothingIsWrittenToFiles(t *testing.T) {
	noLeaks(t)
	credClearEnv(t)
	empty := t.TempDir()
	t.Chdir(empty)
	for _, name := range []string{"HOME", "TMPDIR", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "USERPROFILE", "TEMP", "TMP"} {
		t.Setenv(name, empty)
	}
	credSetenv(t, "HW_ACCESS_KEY", credKeys.AccessKey, "HW_SECRET_KEY", credKeys.SecretKey,
		"MODELARTS_ENDPOINT", modelartstest.Endpoint, "HW_PROJECT_ID", modelartstest.ProjectID)
	fake := credFake()
	client, err := modelarts.NewClientFromEnv(t.Context(), modelarts.WithHTTPClient(fake.HTTPClient()))
	require.NoError(t, err)
	_, err = client.Sync(t.Context(), "ds", &modelarts.WaitOptions{MinInterval: -1, MaxInterval: -1})
	require.NoError(t, err)
	entries, err := os.ReadDir(empty)
	require.NoError(t, err)
	assert.Empty(t, entries)
}

// Providers that read from outside hold nothing until they are asked, and print nothing afterwards.
func TestProvidersDoNotPrint(t *testing.T) {
	noLeaks(t)
	t.Setenv("HUAWEICLOUD_SDK_AK", "AKIDENTIFIER")
	t.Setenv("HUAWEICLOUD_SDK_SK", redactSecretKey)
	t.Setenv("HUAWEICLOUD_SDK_SECURITY_TOKEN", redactSecurityToken)
	for name, provider := range map[string]modelarts.CredentialsProvider{
		"env": modelarts.EnvCredentials(), "chain": modelarts.ChainCredentials(modelarts.EnvCredentials()),
		"profile": modelarts.ProfileCredentials(filepath.Join(t.TempDir(), "none")), "metadata": modelarts.MetadataCredentials(),
	} {
		if name == "env" || name == "chain" {
			credentials, err := provider.Retrieve(t.Context())
			require.NoError(t, err)
			assert.Equal(t, redactCredentials, credentials)
		}
		for _, format := range []string{"%v", "%+v", "%#v", "%s", "%d"} {
			redactClean(t, name, fmt.Sprintf(format, provider))
			redactClean(t, name, fmt.Sprintf(format, struct{ p modelarts.CredentialsProvider }{provider}))
		}
	}
}

// redactBearer is somebody else's authenticator, with a header that is not in canonical form.
func redactBearer(name, value string) modelarts.Authenticator {
	return modelarts.AuthenticatorFunc(func(req *http.Request) error {
		req.Header[name] = []string{value}
		return nil
	})
}

// Whatever an answer repeats of the request, nothing secret gets into an error or a log.
func TestEchoedSecretsAreRedacted(t *testing.T) {
	noLeaks(t)
	t.Parallel()
	token := strings.ReplaceAll(redactToken, "<x>", "") // JSON escapes are another case
	auths := map[string]modelarts.Authenticator{
		"Signer": nil, "TokenAuth": modelarts.TokenAuth(redactToken),
		"Bearer": redactBearer("Authorization", "Bearer "+token), "lower-case header": redactBearer("x-auth-token", redactToken),
		"cookie": redactBearer("Cookie", token),
	}
	quoted := func(text string) string { return string(redactMust(json.Marshal(text))) }
	echoes := map[string]func(req *http.Request, secret string) (body string){
		"whole request": func(req *http.Request, _ string) string {
			return string(redactMust(httputil.DumpRequestOut(req.Clone(req.Context()), false)))
		},
		"headers as JSON":           func(req *http.Request, _ string) string { return string(redactMust(json.Marshal(req.Header))) },
		"headers as Go prints them": func(req *http.Request, _ string) string { return fmt.Sprint(req.Header) },
		"gateway's canonical request": func(req *http.Request, secret string) string {
			return `{"error_code":"APIGW.0301","error_msg":` + quoted("verify aksk signature fail, signature:"+redactSignature(req)+
				",canonicalRequest:GET|/v2/||host:h|x-security-token:"+secret+"|x-sdk-date:1||host|abc") + "}"
		},
		"bare, in the message": func(_ *http.Request, secret string) string {
			return `{"message":` + quoted("no such token "+secret+".") + "}"
		},
		"bare, in the code": func(_ *http.Request, secret string) string { return `{"error_code":` + quoted(secret) + "}" },
		"bare, in the request id": func(_ *http.Request, secret string) string {
			return `{"error_code":"X.1","request_id":` + quoted(secret) + "}"
		},
		"in a nested error": func(_ *http.Request, secret string) string { return `{"error":{"message":` + quoted(secret) + "}}" },
		"in JSON with escaped slashes": func(_ *http.Request, secret string) string {
			return `{"m":` + strings.ReplaceAll(quoted(secret), "/", `\/`) + "}"
		},
		"in JSON within JSON": func(_ *http.Request, secret string) string {
			return `{"m":` + quoted(`{"x-auth-token":`+quoted(secret)+"}") + "}"
		},
		"in a query, escaped in lower case": func(_ *http.Request, secret string) string {
			return "GET /?token=" + lowerEscapes(url.QueryEscape(secret))
		},
		"in a page, escaped": func(_ *http.Request, secret string) string { return "<b>" + html.EscapeString(secret) + "</b>" },
		"in JSON as ASCII only": func(_ *http.Request, secret string) string {
			return `{"m":` + strings.NewReplacer("=", `\u003d`, "'", `\u0027`).Replace(quoted(secret)) + "}"
		},
		"in a query":                      func(_ *http.Request, secret string) string { return "GET /?token=" + url.QueryEscape(secret) },
		"in a path":                       func(_ *http.Request, secret string) string { return "GET /" + url.PathEscape(secret) },
		"in a page's title":               func(_ *http.Request, secret string) string { return "<html><title>bad " + secret + "</title>" },
		"across the end of what is shown": func(_ *http.Request, secret string) string { return strings.Repeat("x", 145) + " " + secret },
		"across the end of what is kept":  func(_ *http.Request, secret string) string { return strings.Repeat("x", 4085) + secret },
		"across the end of what is read": func(_ *http.Request, secret string) string {
			// The many copies that are taken out make room for the last one, which is torn.
			return strings.Repeat(secret, 64<<10/len(secret)+2)
		},
		"cut off": func(_ *http.Request, secret string) string { return "you sent " + secret[:len(secret)-5] },
	}
	for authName, auth := range auths {
		for echoName, echo := range echoes {
			for _, status := range []int{200, 401, 502} {
				t.Run(fmt.Sprint(authName, ", ", echoName, ", ", status), func(t *testing.T) {
					t.Parallel()
					auth := auth
					if auth == nil {
						auth = modelarts.NewSigner(redactCredentials) // one for each, since it stops after some refusals
					}
					var logs bytes.Buffer
					var signature string
					client := errsClient(t, auth, func(req *http.Request) (*http.Response, error) {
						signature = redactSignature(req)
						secret := redactFirst(req.Header, "X-Security-Token", "X-Auth-Token", "x-auth-token", "Authorization", "Cookie")
						secret = strings.TrimPrefix(secret, "Bearer ")
						return errsResponse(req, status, nil, echo(req, secret)), nil
					}, modelarts.WithLogger(slog.New(slog.NewTextHandler(&logs, &slog.HandlerOptions{Level: slog.LevelDebug}))))
					_, err := client.GetSyncStatus(t.Context(), "ds")
					var apiErr *modelarts.APIError
					require.ErrorAs(t, err, &apiErr)
					text := err.Error() + fmt.Sprintf("%+v %#v", *apiErr, apiErr) + string(apiErr.Body) + logs.String()
					redactClean(t, "error", text)
					if signature != "" {
						redactClean(t, "signature", text, signature)
					}
					errsPlain(t, err.Error())
					assert.LessOrEqual(t, len(apiErr.Body), 4<<10)
				})
			}
		}
	}
}

func redactMust[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

func redactFirst(header http.Header, names ...string) string {
	for _, name := range names {
		if values := header[name]; len(values) > 0 {
			return values[0]
		}
	}
	return ""
}

func redactSignature(req *http.Request) string {
	_, signature, _ := strings.Cut(req.Header.Get("Authorization"), "Signature=")
	return signature
}

// Secrets that the client does not know are found by their names.
var percentEscape = regexp.MustCompile("%[0-9A-F]{2}")

func lowerEscapes(text string) string {
	return percentEscape.ReplaceAllStringFunc(text, strings.ToLower)
}

func TestNamedSecretsAreRedacted(t *testing.T) {
	noLeaks(t)
	t.Parallel()
	const secret = "hidden-value"
	for _, text := range []string{
		"X-Auth-Token: hidden-value", "x-auth-token:hidden-value|host:h", "x_auth_token=hidden-value&a=b", "XAuthToken = hidden-value",
		`"X-Auth-Token":"hidden-value"`, `{"X-Auth-Token": ["hidden-value"]}`, `{'X-Auth-Token': 'hidden-value'}`, `{'password':['hidden-value']}`,
		`\"x-security-token\":\"hidden-value\"`, "Set-Cookie: a=b; session=hidden-value", "Authorization: Basic abc hidden-value",
		"proxy-authorization:Basic hidden-value", "secret_key='hidden-value'", "password=hidden-value;", "X-Subject-Token:\thidden-value",
		"Authorization: SDK-HMAC-SHA256 Access=a, SignedHeaders=host, Signature=hidden-value",
		"map[X-Auth-Token:[hidden-value]]", "https://user:hidden-value@proxy.example:8080/x", "http://hidden-value@proxy.example",
	} {
		e := errsOf(t, 400, nil, text)
		assert.NotContains(t, e.Message, secret, text)
		assert.NotContains(t, string(e.Body), secret, text)
		assert.Contains(t, string(e.Body), "REDACTED", text)
	}
	for _, text := range []string{
		"the token is missing", "password: ", "see https://support.example/a?b=c@d", "Message: tokens expire at 10:00", "a=b", "passwords=many", `"password":""`,
	} {
		e := errsOf(t, 400, nil, text)
		assert.Equal(t, text, string(e.Body), "nothing to hide")
	}
	e := errsOf(t, 400, nil, "x-auth-token:hidden-value|host:h|a=b")
	assert.Equal(t, "x-auth-token:REDACTED|host:h|a=b", e.Message, "the rest stays")
}

// A transport may tell of the address of a proxy, with its password.
func TestProxyPasswordsAreRedacted(t *testing.T) {
	noLeaks(t)
	t.Parallel()
	const password = "hunter2"
	parse := func(suffix string) (*url.URL, error) { return url.Parse("http://user:" + password + suffix) }
	_, invalidPort := parse("#x@proxy.example:8080")
	_, invalidUser := parse("%@proxy.example:8080")
	for _, cause := range []error{
		errors.New("proxyconnect tcp: dial tcp http://user:" + password + "@proxy.example:8080: refused"),
		fmt.Errorf("invalid proxy address %q: %w", "http://user:"+password+" x@proxy.example", invalidUser),
		fmt.Errorf("invalid proxy address %q: %w", "http://user:"+password+"#x@proxy.example", invalidPort),
		invalidPort, invalidUser,
	} {
		require.Error(t, cause)
		require.Contains(t, cause.Error(), password)
		client := errsClient(t, nil, func(*http.Request) (*http.Response, error) { return nil, cause })
		_, err := client.GetSyncStatus(t.Context(), "ds")
		require.ErrorIs(t, err, cause)
		assert.NotContains(t, err.Error(), password)
		assert.Contains(t, err.Error(), "proxy")
	}

	transport := &http.Transport{Proxy: func(*http.Request) (*url.URL, error) { return parse("%@proxy.example") }}
	client := clientOf(t, errsEndpoint, modelarts.TokenAuth(redactToken), modelarts.WithHTTPClient(&http.Client{Transport: transport}))
	_, err := client.GetSyncStatus(t.Context(), "ds")
	require.Error(t, err)
	assert.NotContains(t, err.Error(), password)
	redactClean(t, "error", err.Error())
}

// What a transport says of a request may quote its headers.
func TestTransportTextsAreRedacted(t *testing.T) {
	noLeaks(t)
	t.Parallel()
	for name, auth := range map[string]modelarts.Authenticator{
		"token": modelarts.TokenAuth(redactToken), "signer": modelarts.NewSigner(redactCredentials),
	} {
		var signature string
		client := errsClient(t, auth, func(req *http.Request) (*http.Response, error) {
			signature = redactSignature(req)
			return nil, fmt.Errorf("cannot send %v to %v", req.Header, req.URL)
		})
		_, err := client.GetSyncStatus(t.Context(), "ds")
		require.Error(t, err)
		redactClean(t, name, err.Error())
		if signature != "" {
			redactClean(t, name, err.Error(), signature)
		}
		errsPlain(t, err.Error())
	}
}

// The gateway of the fake echoes what it has signed, as the real one does.
func TestGatewayEchoIsRedacted(t *testing.T) {
	noLeaks(t)
	t.Parallel()
	fake := modelartstest.New()
	var logs bytes.Buffer
	signer := modelarts.NewSigner(modelarts.Credentials{AccessKey: modelartstest.AccessKey, SecretKey: "sk-canary-of-another-key"})
	client, err := modelarts.NewClient(modelartstest.Endpoint, modelartstest.ProjectID, signer, modelarts.WithHTTPClient(fake.HTTPClient()),
		modelarts.WithLogger(slog.New(slog.NewJSONHandler(&logs, &slog.HandlerOptions{Level: slog.LevelDebug}))))
	require.NoError(t, err)
	_, err = client.GetSyncStatus(t.Context(), "ds")
	require.ErrorIs(t, err, modelarts.ErrUnauthorized)
	requests := fake.Requests()
	require.Len(t, requests, 1)
	_, signature, found := strings.Cut(requests[0].Header.Get("Authorization"), "Signature=")
	require.True(t, found)
	for _, text := range []string{err.Error(), fmt.Sprintf("%+v", err), logs.String()} {
		redactClean(t, "signature", text, signature, "sk-canary-of-another-key")
	}
	assert.Contains(t, err.Error(), "verify aksk signature fail")
	assert.Contains(t, err.Error(), "canonicalRequest:GET|/v2/", "the harmless part stays, it helps")
	assert.False(t, slices.Contains(strings.Fields(err.Error()), signature))
}
