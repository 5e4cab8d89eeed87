package gcs

import (
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"
	"time"
)

// Options says which bucket to use and how. Only Bucket is required. There is no
// place for credentials: they are those that the client library finds by itself,
// as the environment variable GOOGLE_APPLICATION_CREDENTIALS or the account of the
// machine.
type Options struct {
	// Bucket is the name of a bucket that exists.
	Bucket string

	// Prefix is put before every object name, for a bucket that has more in it.
	Prefix string

	// DeleteExpiredOnRead removes an expired object when Get, Has or TTL meets it,
	// at the price of one more request. A fresh value that has just taken its
	// place is never removed.
	DeleteExpiredOnRead bool

	// Anonymous asks without credentials, for a public bucket or an emulator.
	Anonymous bool

	// Endpoint is the URL of another server with the same API. Default
	// "https://storage.googleapis.com", or what the environment variable
	// STORAGE_EMULATOR_HOST names, which implies Anonymous.
	Endpoint string

	// Concurrency is how many requests a batch has under way at a time. Default 64.
	Concurrency int

	// Timeout bounds each request and its repetitions where the context of the
	// call has no deadline. Default 30 s.
	Timeout time.Duration

	// AllowFlush lets Clear without any prefix empty the whole bucket, whoever
	// wrote to it. Without it such a Clear is refused.
	AllowFlush bool
}

const (
	defaultEndpoint    = "https://storage.googleapis.com"
	defaultConcurrency = 64
	defaultTimeout     = 30 * time.Second

	emulatorVariable = "STORAGE_EMULATOR_HOST"
)

// resolved returns o with its defaults in place of zeros, or all that is wrong
// with it.
func (o Options) resolved() (Options, error) {
	if host := os.Getenv(emulatorVariable); host != "" && o.Endpoint == "" {
		if !strings.Contains(host, "://") {
			host = "http://" + host
		}
		o.Endpoint, o.Anonymous = host, true
	}
	if o.Endpoint == "" {
		o.Endpoint = defaultEndpoint
	}
	// Values like those of the client library have the path of the API.
	o.Endpoint, _, _ = strings.Cut(o.Endpoint, "/storage/v1")
	o.Endpoint = strings.TrimSuffix(o.Endpoint, "/")
	if o.Concurrency == 0 {
		o.Concurrency = defaultConcurrency
	}
	if o.Timeout == 0 {
		o.Timeout = defaultTimeout
	}
	return o, errors.Join(o.mistakes()...)
}

func (o Options) mistakes() (errs []error) {
	wrong := func(is bool, format string, args ...any) {
		if is {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	wrong(o.Bucket == "", "Bucket: the name of the bucket is not given")
	wrong(strings.Contains(o.Bucket, "/"), "Bucket: %q is not the name of a bucket alone", o.Bucket)
	if o.Prefix != "" {
		err := checkName(o.Prefix + "x")
		wrong(err != nil, "Prefix: %w", err)
	}
	u, err := url.Parse(o.Endpoint)
	// The URL is not repeated: it may have a password. A path is refused, for the client
	// library reads values without it.
	wrong(err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.Path != "" || u.User != nil || u.RawQuery != "",
		"Endpoint: not http://host:port or https://host")
	wrong(o.Concurrency < 0, "Concurrency: %d is negative", o.Concurrency)
	wrong(o.Timeout < 0, "Timeout: %v is negative", o.Timeout)
	return errs
}
