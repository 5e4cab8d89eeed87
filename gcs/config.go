package gcs

import (
	"context"
	"fmt"

	"cloud.google.com/go/storage"
	cache "github.com/cachebackends/cachebackends/core"
)

func init() { cache.Register("gcs", open) }

const (
	keyBucket    = "CACHE_GCS_BUCKET"
	keyAnonymous = "CACHE_GCS_ANONYMOUS"
	keyEndpoint  = "CACHE_GCS_ENDPOINT"
)

func open(ctx context.Context, s *cache.Settings) (cache.Backend, error) {
	further := s.Options()
	o := Options{
		Bucket:              s.String(keyBucket, ""),
		Prefix:              s.String("CACHE_GCS_KEY_PREFIX", ""),
		DeleteExpiredOnRead: s.Bool("CACHE_GCS_DELETE_EXPIRED_ON_READ", false),
		Anonymous:           s.Bool(keyAnonymous, false),
		AllowFlush:          s.Bool("CACHE_ALLOW_FLUSH", false),
		Concurrency:         further.Int("concurrency", 0),
		Timeout:             further.Duration("timeout", 0),
	}
	client, ready := s.Value(keyEndpoint).(*storage.Client)
	if !ready {
		o.Endpoint = s.String(keyEndpoint, "")
	}
	if o.Bucket == "" {
		s.Fail(keyBucket, "missing: the name of a bucket")
	}
	if err := s.Err(); err != nil {
		return nil, err
	}
	if !ready {
		return New(ctx, o)
	}
	b, err := NewFromClient(client, o)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", keyEndpoint, err)
	}
	return b, nil
}
