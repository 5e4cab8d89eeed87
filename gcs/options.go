package gcs

import (
	"cmp"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/cachebackends/cachebackends/core/driver"
)

// Options names the bucket and says how to use it. Only Bucket is required. There is
// no field for credentials: the client library finds them itself, for example by the
// environment variable GOOGLE_APPLICATION_CREDENTIALS or on the machines of Google.
type Options struct {
	// Bucket is the name of an existing bucket.
	Bucket string `setting:"CACHE_GCS_BUCKET" required:"true" help:"name of an existing bucket"`

	// Prefix is put before every object name, for a bucket that has other objects too.
	Prefix string `setting:"CACHE_GCS_KEY_PREFIX" verbatim:"true" help:"put before every object name; Clear removes only objects whose names begin with it"`

	// DeleteExpiredOnRead removes an expired object when Get, GetMany, Has or TTL finds
	// it, which takes one more request. It never removes a value that was stored in
	// the meantime.
	DeleteExpiredOnRead bool `setting:"CACHE_GCS_DELETE_EXPIRED_ON_READ" default:"false" help:"removes an expired object when a read finds it"`

	// Anonymous sends no credentials, for a public bucket or an emulator.
	Anonymous bool `setting:"CACHE_GCS_ANONYMOUS" default:"false" help:"sends no credentials, for an emulator"`

	// Endpoint is the URL of another server with the same API, such as an emulator.
	// Default "https://storage.googleapis.com", or the server that the environment
	// variable STORAGE_EMULATOR_HOST names, which implies Anonymous.
	Endpoint string `setting:"CACHE_GCS_ENDPOINT" default:"https://storage.googleapis.com" help:"URL of another server, such as an emulator, or a ready *storage.Client; STORAGE_EMULATOR_HOST works too"`

	// Concurrency is the maximum number of requests that a batch or Clear has in
	// progress at a time. Default 64.
	Concurrency int `option:"concurrency" default:"64" min:"1" help:"maximum number of requests of a batch at a time"`

	// Timeout limits a call, with its retries, whose context has no deadline. A batch
	// has this limit for each key. Default 30 s.
	Timeout time.Duration `option:"timeout" default:"30s" min:"1ms" help:"limit for a call whose context has no deadline, with its retries"`

	// Flask keeps values as Flask-Caching does: JSON, or bytes. It requires the import of
	// package flask. A value that has no JSON is kept as it is, and Python reads it as bytes.
	Flask bool `setting:"CACHE_FLASK" help:"keys, values and placement as Flask-Caching stores them"`

	// AllowFlush permits Clear without a prefix, which empties the bucket, including
	// the objects of other programs.
	AllowFlush bool `setting:"CACHE_ALLOW_FLUSH" default:"false" help:"permits Clear without a prefix, which empties the bucket"`
}

// Validate reports names that the service does not have, and an endpoint that is not
// the address of a server.
func (o Options) Validate(p *driver.Problems) {
	if strings.Contains(o.Bucket, "/") {
		p.Add("Bucket", "%q is not the name of a bucket alone", o.Bucket)
	}
	if o.Prefix != "" {
		if err := checkName(o.Prefix + "x"); err != nil {
			p.Add("Prefix", "%w", err)
		}
	}
	u, err := url.Parse(cmp.Or(baseURL(o.Endpoint), "http://localhost"))
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		p.Add("Endpoint", "not http://host:port or https://host") // not repeated: it may have a password
	} else if u.Path != "" {
		p.Add("Endpoint", "the path %q: the client library would read values without it", u.Path)
	}
}

// baseURL removes the path of the API, which values for the client library have.
func baseURL(endpoint string) string {
	endpoint, _, _ = strings.Cut(endpoint, "/storage/v1")
	return strings.TrimSuffix(endpoint, "/")
}

const emulatorVariable = "STORAGE_EMULATOR_HOST"

// resolved returns o with its defaults in place of zeros, or all that is wrong.
func (o Options) resolved() (Options, error) {
	if host := os.Getenv(emulatorVariable); host != "" && o.Endpoint == "" {
		if !strings.Contains(host, "://") {
			host = "http://" + host
		}
		o.Endpoint, o.Anonymous = host, true
	}
	err := driver.Complete(&o)
	o.Endpoint = baseURL(o.Endpoint)
	return o, err
}
