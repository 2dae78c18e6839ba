package main

import (
	"context"
	"errors"
	"net/http"

	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/modelarts-go/modelarts"
)

const name = "github.com/modelarts-go/modelarts/examples/otel"

// telemetry is where traces and metrics go. It is handed around rather than global, so that every test has its
// own.
type telemetry struct {
	traces  *sdktrace.TracerProvider
	metrics *sdkmetric.MeterProvider
}

// newTelemetry exports every span as it ends, and the metrics when reader asks for them.
func newTelemetry(spans sdktrace.SpanExporter, reader sdkmetric.Reader) *telemetry {
	about := resource.NewSchemaless(attribute.String("service.name", "otel-example"))
	return &telemetry{
		traces:  sdktrace.NewTracerProvider(sdktrace.WithSyncer(spans), sdktrace.WithResource(about)),
		metrics: sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader), sdkmetric.WithResource(about)),
	}
}

// shutdown exports what is left.
func (t *telemetry) shutdown(ctx context.Context) error {
	return errors.Join(t.traces.Shutdown(ctx), t.metrics.Shutdown(ctx))
}

// option is all that it takes to observe a client: the client's retries stand above the transport, so each
// attempt is a span, with the status that it was answered with. Credentials go into headers, of which otelhttp
// records none.
func (t *telemetry) option(next http.RoundTripper) modelarts.Option {
	return modelarts.WithHTTPClient(&http.Client{Transport: otelhttp.NewTransport(next,
		otelhttp.WithTracerProvider(t.traces), otelhttp.WithMeterProvider(t.metrics))})
}

// call makes a call of the client under a span of its own, the parent of those of the attempts.
func (t *telemetry) call(ctx context.Context, what, dataset string, f func(context.Context) error) error {
	ctx, span := t.traces.Tracer(name).Start(ctx, what, trace.WithAttributes(attribute.String("modelarts.dataset_id", dataset)))
	defer span.End()
	err := f(ctx)
	if err == nil {
		return nil
	}
	span.SetStatus(codes.Error, err.Error()) // errors of the client hold no secrets
	var answer *modelarts.APIError
	if errors.As(err, &answer) {
		span.SetAttributes(
			attribute.String("modelarts.error_code", answer.Code), attribute.String("modelarts.request_id", answer.RequestID))
	}
	return err
}
