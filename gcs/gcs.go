package gcs

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"

	"cloud.google.com/go/storage"
	"github.com/cachebackends/cachebackends/core/driver"
	"github.com/cachebackends/cachebackends/core/driver/remote"
	"google.golang.org/api/option"
	htransport "google.golang.org/api/transport/http"
)

// Backend keeps entries in a bucket. It is safe for concurrent use. A batch sends a
// request of its own for each key, up to [Options.Concurrency] at a time.
type Backend struct {
	many
	options    Options
	bucket     *storage.BucketHandle
	bucketSeen atomic.Bool       // a response has shown that the bucket exists
	close      func() error      // nil if the client is borrowed
	json       *driver.FlaskJSON // in Flask mode
	counting   sync.Map          // channels by key, closed when a caller of Inc is done
	closed     atomic.Bool
}

// New returns a Backend on a bucket. The bucket need not be reachable yet, and Ping
// reports whether it is. New fails if there are no credentials or if o is invalid;
// the error lists every mistake in o.
func New(ctx context.Context, o Options) (*Backend, error) {
	o, err := o.resolved()
	if err != nil {
		return nil, fmt.Errorf("gcs: %w", err)
	}
	// Tokens are renewed with this context, long after New.
	ctx = context.WithoutCancel(ctx)
	access := option.WithScopes(storage.ScopeReadWrite)
	if o.Anonymous {
		access = option.WithoutAuthentication()
	}
	connections := newTransport(o.Concurrency)
	authorized, err := htransport.NewTransport(ctx, connections, access, option.WithEndpoint(o.Endpoint), option.WithTelemetryDisabled())
	if err != nil {
		return nil, fmt.Errorf("gcs: %w: %w", driver.ErrAuth, err)
	}
	client, err := storage.NewClient(ctx, option.WithHTTPClient(&http.Client{Transport: checkedTransport{authorized}}),
		option.WithEndpoint(o.Endpoint+"/storage/v1/"), option.WithoutAuthentication()) // the transport has the credentials
	if err != nil {
		return nil, fmt.Errorf("gcs: %w", err)
	}
	b, err := newBackend(client, o)
	if err != nil {
		return nil, err
	}
	b.close = func() error {
		defer connections.CloseIdleConnections()
		return client.Close()
	}
	return b, nil
}

// NewFromClient returns a Backend over a client of the application and never closes
// that client. It has to be one for HTTP, not from [storage.NewGRPCClient]. It has
// its own credentials and endpoint, so that Anonymous and Endpoint of o must not be
// set. Its retry policy is not used. If it was made with [storage.WithJSONReads], a
// hit takes two requests.
//
// How the client treats a redirect depends on its HTTP client: the default follows
// it and repeats the token. Nor can the Backend see whether the empty answer to a
// delete came from the service. The client that New makes handles both.
func NewFromClient(client *storage.Client, o Options) (*Backend, error) {
	if client == nil {
		return nil, errors.New("gcs: the client is nil")
	}
	if err := driver.CheckBorrowed(&o, "Bucket", "Prefix", "DeleteExpiredOnRead", "Concurrency", "Timeout", "AllowFlush", "Flask"); err != nil {
		return nil, fmt.Errorf("gcs: %w", err)
	}
	if err := driver.Complete(&o); err != nil {
		return nil, fmt.Errorf("gcs: %w", err)
	}
	return newBackend(client, o)
}

type many = remote.Many

func newBackend(client *storage.Client, o Options) (*Backend, error) {
	b := &Backend{
		options: o,
		json:    driver.RegisteredFlaskJSON(),
		// The client repeats neither the upload of a value nor an unconditional
		// write. This package repeats whole requests, see retry.
		bucket: client.Bucket(o.Bucket).Retryer(storage.WithPolicy(storage.RetryNever)),
	}
	if o.Flask && (b.json == nil || b.json.FromPickle == nil) {
		return nil, fmt.Errorf("gcs: %w", errNoFlask)
	}
	b.many = remote.NewMany(b, o.Concurrency, func(key string) error {
		_, err := b.object(key)
		return err
	})
	return b, nil
}

// object is where the entry of one key is stored.
type object struct {
	b      *Backend
	handle *storage.ObjectHandle
}

// object returns the object of key, or why there can be none.
func (b *Backend) object(key string) (object, error) {
	if b.closed.Load() {
		return object{}, driver.ErrClosed
	}
	name := b.options.Prefix + key
	if err := checkName(name); err != nil {
		return object{}, err
	}
	return object{b, b.bucket.Object(name)}, nil
}

// Ping lists at most one object.
func (b *Backend) Ping(ctx context.Context) error {
	if b.closed.Load() {
		return driver.ErrClosed
	}
	_, _, err := b.list(ctx, "", "", 1)
	return err
}

// CopiesValues reports that no memory is shared with the caller.
func (b *Backend) CopiesValues() bool { return true }

// Close closes the connections, unless the client is borrowed. Calls in progress
// finish.
func (b *Backend) Close() error {
	if b.closed.Swap(true) || b.close == nil {
		return nil
	}
	return b.close()
}

var (
	_ driver.Backend       = (*Backend)(nil)
	_ driver.Haser         = (*Backend)(nil)
	_ driver.ManyGetter    = (*Backend)(nil)
	_ driver.ManySetter    = (*Backend)(nil)
	_ driver.ManyDeleter   = (*Backend)(nil)
	_ driver.Counter       = (*Backend)(nil)
	_ driver.PrefixClearer = (*Backend)(nil)
	_ driver.TTLer         = (*Backend)(nil)
	_ driver.Pinger        = (*Backend)(nil)
	_ driver.Copier        = (*Backend)(nil)
	_ driver.Leaser        = (*Backend)(nil)
	_ driver.Swapper       = (*Backend)(nil)

	_ driver.Appender       = (*Backend)(nil)
	_ driver.LifeGetter     = (*Backend)(nil)
	_ driver.ManyLifeGetter = (*Backend)(nil)
)
