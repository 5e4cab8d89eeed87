package driver

import (
	"context"
	"time"
)

// Appender reads a value into the caller's memory. GetAppend appends the value of key
// to dst and returns the extended slice, as append does; it may use the capacity of
// dst as working memory. Unless ok is true it returns dst. The backend does not keep
// dst.
// Fallback: Get, and a copy.
type Appender interface {
	GetAppend(ctx context.Context, key string, dst []byte) (extended []byte, ok bool, err error)
}

// LifeGetter returns the value of key with its remaining TTL, both of one entry, in
// one round trip. A ttl of 0 with ok=true means that key never expires. ttl is never
// longer than the entry is still present.
// Fallback: none; a wrapper that keeps copies limits their life by itself.
type LifeGetter interface {
	GetWithTTL(ctx context.Context, key string) (value []byte, ttl time.Duration, ok bool, err error)
}

// ManyLifeGetter is [LifeGetter] for a batch. values is as in [ManyGetter]; ttls[i]
// belongs to keys[i].
// Fallback: GetWithTTL for each key.
type ManyLifeGetter interface {
	GetManyWithTTL(ctx context.Context, keys []string) (values [][]byte, ttls []time.Duration, err error)
}
