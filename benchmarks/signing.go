package main

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"github.com/modelarts-go/modelarts"
	"github.com/modelarts-go/modelarts/benchmarks/internal/byhand"
	"github.com/modelarts-go/modelarts/benchmarks/internal/official"
	"github.com/modelarts-go/modelarts/benchmarks/internal/ours"
	"github.com/modelarts-go/modelarts/benchmarks/internal/service"
)

const (
	signedEndpoint = "https://" + signedHost
	signedHost     = "modelarts.cn-north-4.myhuaweicloud.com"
	authorization  = "Authorization"
)

// measureSigning takes one signature after the other of the same request with the same headers.
func measureSigning(ctx context.Context, b *bench) ([]row, error) {
	signers, err := newSigners(ctx)
	if err != nil {
		return nil, err
	}
	var contenders []contender
	for _, name := range columns {
		contenders = append(contenders, repeat(name, b.pick(3000, 20), signers[name]))
	}
	medians, err := contest(ctx, b.pick(60, 2), contenders)
	if err != nil {
		return nil, err
	}
	return []row{
		{
			name: "signing alone", unit: duration, values: medians[nanoseconds], charted: true,
			targets: []target{faster(7, theirs), faster(4.5, sigV4)},
		},
		{name: "its allocations", unit: count, values: medians[allocations], targets: []target{atMost(3, count)}},
	}, nil
}

// A signFunc signs once, with the time of now.
type signFunc func(ctx context.Context) error

// newSigners returns the signers of all columns, each of which has shown that it signs well.
func newSigners(ctx context.Context) (map[string]signFunc, error) {
	signers := make(map[string]signFunc)
	for name, newSigner := range map[string]func(context.Context) (signFunc, error){
		floor: barely, byHand: signerByHand, theirs: officialSigner, sigV4: amazonSigner, library: librarySigner,
	} {
		sign, err := newSigner(ctx)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		signers[name] = sign
	}
	return signers, nil
}

func newSignedRequest(ctx context.Context) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, signedEndpoint+service.Path, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("X-Project-Id", service.ProjectID)
	return req, nil
}

// checkSignature compares a signature with one made by hand for the same time, which checkSignatures has the
// fake service verify.
func checkSignature(ctx context.Context, date, got string) error {
	now, err := time.Parse("20060102T150405Z", date)
	if err != nil {
		return err
	}
	req, err := newSignedRequest(ctx)
	if err != nil {
		return err
	}
	byhand.Sign(req, service.AccessKey, service.SecretKey, now)
	if want := req.Header.Get(authorization); want != got {
		return fmt.Errorf("signed %q instead of %q", got, want)
	}
	return nil
}

// barely does what no signer can do without: it hashes the canonical request, and makes one HMAC.
func barely(ctx context.Context) (signFunc, error) {
	const date = "20260115T120000Z"
	req, err := newSignedRequest(ctx)
	if err != nil {
		return nil, err
	}
	canonical := []byte(byhand.Canonical(req, date))
	toSign := []byte(byhand.ToSign(canonical, date))
	return func(context.Context) error {
		sha256.Sum256(canonical)
		mac := hmac.New(sha256.New, []byte(service.SecretKey))
		mac.Write(toSign)
		mac.Sum(nil)
		return nil
	}, nil
}

func signerByHand(ctx context.Context) (signFunc, error) {
	if err := checkSignatures(ctx); err != nil {
		return nil, err
	}
	req, err := newSignedRequest(ctx)
	return func(context.Context) error {
		byhand.Sign(req, service.AccessKey, service.SecretKey, time.Now())
		return nil
	}, err
}

func officialSigner(ctx context.Context) (signFunc, error) {
	req := official.NewRequest(signedEndpoint, signedHost)
	date, got, err := req.Sign()
	if err != nil {
		return nil, err
	}
	return func(context.Context) error {
		_, _, err := req.Sign()
		return err
	}, checkSignature(ctx, date, got)
}

// librarySigner returns a signer whose key the service has accepted, as it is in a client from the second call
// on.
func librarySigner(ctx context.Context) (signFunc, error) {
	req, err := newSignedRequest(ctx)
	if err != nil {
		return nil, err
	}
	signer := modelarts.NewSigner(ours.Keys)
	if err := signer.Authenticate(req); err != nil {
		return nil, err
	}
	signer.Observe(req, &http.Response{StatusCode: http.StatusOK, Header: http.Header{}}, nil)
	return func(context.Context) error { return signer.Authenticate(req) },
		checkSignature(ctx, req.Header.Get("X-Sdk-Date"), req.Header.Get(authorization))
}

// amazonSigner signs the same request in AWS's way, which derives its key from day, region and service. The
// signer of that SDK keeps the derived key.
func amazonSigner(ctx context.Context) (signFunc, error) {
	const emptyBody = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
	req, err := newSignedRequest(ctx)
	if err != nil {
		return nil, err
	}
	signer := v4.NewSigner()
	keys := aws.Credentials{AccessKeyID: service.AccessKey, SecretAccessKey: service.SecretKey}
	sign := func(ctx context.Context) error {
		return signer.SignHTTP(ctx, keys, req, emptyBody, "modelarts", "cn-north-4", time.Now())
	}
	if err := sign(ctx); err != nil {
		return nil, err
	}
	if !strings.Contains(req.Header.Get(authorization), "SignedHeaders=host;x-amz-date;x-project-id, Signature=") {
		return nil, errors.New("other headers were signed: " + req.Header.Get(authorization))
	}
	return sign, nil
}
