package conformance

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"
	"time"

	"github.com/cachebackends/cachebackends/core/driver"
)

// show returns b as the cases call it. If the keys of the store have an alphabet,
// the punctuation that the suite puts into keys and prefixes is spelled with bytes of
// the alphabet.
func (t *attempt) show(b driver.Backend) driver.Backend { return t.suite.show(b) }

func (s *suite) show(b driver.Backend) driver.Backend {
	if s.harness.Limits.KeyAlphabet == "" {
		return b
	}
	return &spelled{driver.Resolve(b), newSpelling(s.harness.Limits.KeyAlphabet)}
}

// spelling replaces punctuation that an alphabet lacks.
type spelling struct {
	alphabet string
	replace  *strings.Replacer
	restore  *strings.Replacer
}

// punctuation is what the suite puts into keys and prefixes beside letters and digits.
const punctuation = ":;-."

// newSpelling replaces each byte of punctuation that alphabet lacks: by a byte that
// the suite does not use or, if there is none, by several.
func newSpelling(alphabet string) *spelling {
	free := ""
	for _, c := range "/=,+~@" {
		if strings.ContainsRune(alphabet, c) {
			free += string(c)
		}
	}
	var pairs []string
	for i, c := range punctuation {
		switch {
		case strings.ContainsRune(alphabet, c):
		case free != "":
			pairs, free = append(pairs, string(c), free[:1]), free[1:]
		default:
			pairs = append(pairs, string(c), fmt.Sprintf("qz%d", i))
		}
	}
	back := make([]string, len(pairs))
	for i := 0; i < len(pairs); i += 2 {
		back[i], back[i+1] = pairs[i+1], pairs[i]
	}
	return &spelling{alphabet, strings.NewReplacer(pairs...), strings.NewReplacer(back...)}
}

func (s *spelling) key(key string) string { return s.replace.Replace(key) }

func (s *spelling) keys(keys []string) []string {
	list := make([]string, len(keys))
	for i, key := range keys {
		list[i] = s.key(key)
	}
	return list
}

// spells reports whether the store accepts every byte of key.
func (l Limits) spells(key string) bool {
	return l.KeyAlphabet == "" || newSpelling(l.KeyAlphabet).has(key)
}

// has reports whether the store accepts every byte of key.
func (s *spelling) has(key string) bool { return strings.Trim(s.key(key), s.alphabet) == "" }

// outsideAlphabet is the error of a key that the alphabet of the store does not spell.
type outsideAlphabet struct{ error }

func (o *outsideAlphabet) Unwrap() error { return o.error }

// check marks the error of a key outside the alphabet.
func (s *spelling) check(err error, keys ...string) error {
	if isInvalidKey(err) {
		for _, key := range keys {
			if !s.has(key) {
				return &outsideAlphabet{err}
			}
		}
	}
	return err
}

// batch is check for the error of a batch, whose keys are spelled back.
func (s *spelling) batch(err error, keys []string) error {
	original := map[string]string{}
	for _, key := range keys {
		original[s.key(key)] = key
	}
	err = driver.RenameKeys(err, func(key string) string { return original[key] })
	var batch *driver.BatchError
	if !errors.As(err, &batch) {
		return s.check(err, keys...)
	}
	for i, f := range batch.Failed {
		batch.Failed[i].Err = s.check(f.Err, f.Key)
	}
	return err
}

// spelled is a backend whose keys are spelled in the alphabet of the store.
type spelled struct {
	*driver.Operations
	spelling *spelling
}

func (s *spelled) Get(ctx context.Context, key string) ([]byte, bool, error) {
	value, ok, err := s.Operations.Get(ctx, s.spelling.key(key))
	return value, ok, s.spelling.check(err, key)
}

func (s *spelled) Set(ctx context.Context, key string, value []byte, ttl time.Duration) error {
	return s.spelling.check(s.Operations.Set(ctx, s.spelling.key(key), value, ttl), key)
}

func (s *spelled) Add(ctx context.Context, key string, value []byte, ttl time.Duration) (bool, error) {
	added, err := s.Operations.Add(ctx, s.spelling.key(key), value, ttl)
	return added, s.spelling.check(err, key)
}

func (s *spelled) Delete(ctx context.Context, key string) (bool, error) {
	deleted, err := s.Operations.Delete(ctx, s.spelling.key(key))
	return deleted, s.spelling.check(err, key)
}

func (s *spelled) Has(ctx context.Context, key string) (bool, error) {
	ok, err := s.Operations.Has(ctx, s.spelling.key(key))
	return ok, s.spelling.check(err, key)
}

func (s *spelled) TTL(ctx context.Context, key string) (time.Duration, bool, error) {
	left, ok, err := s.Operations.TTL(ctx, s.spelling.key(key))
	return left, ok, s.spelling.check(err, key)
}

func (s *spelled) Inc(ctx context.Context, key string, delta int64, ttl time.Duration) (int64, error) {
	sum, err := s.Operations.Inc(ctx, s.spelling.key(key), delta, ttl)
	return sum, s.spelling.check(err, key)
}

func (s *spelled) ClearPrefix(ctx context.Context, prefix string) error {
	return s.spelling.check(s.Operations.ClearPrefix(ctx, s.spelling.key(prefix)), prefix)
}

func (s *spelled) GetMany(ctx context.Context, keys []string) ([][]byte, error) {
	values, err := s.Operations.GetMany(ctx, s.spelling.keys(keys))
	return values, s.spelling.batch(err, keys)
}

func (s *spelled) GetAppend(ctx context.Context, key string, dst []byte) ([]byte, bool, error) {
	extended, ok, err := s.Operations.GetAppend(ctx, s.spelling.key(key), dst)
	return extended, ok, s.spelling.check(err, key)
}

func (s *spelled) GetWithTTL(ctx context.Context, key string) ([]byte, time.Duration, bool, error) {
	value, ttl, ok, err := s.Operations.GetWithTTL(ctx, s.spelling.key(key))
	return value, ttl, ok, s.spelling.check(err, key)
}

func (s *spelled) GetManyWithTTL(ctx context.Context, keys []string) ([][]byte, []time.Duration, error) {
	values, ttls, err := s.Operations.GetManyWithTTL(ctx, s.spelling.keys(keys))
	return values, ttls, s.spelling.batch(err, keys)
}

// Watch reports keys as the store spells them.
func (s *spelled) Watch(ctx context.Context, prefix string, grace time.Duration, notices driver.Notices) error {
	return s.spelling.check(s.Operations.Watch(ctx, s.spelling.key(prefix), grace, notices), prefix)
}

func (s *spelled) Scan(ctx context.Context, prefix string) iter.Seq2[driver.Entry, error] {
	return driver.MapEntries(s.Operations.Scan(ctx, s.spelling.key(prefix)), func(entry driver.Entry) driver.Entry {
		entry.Key = s.spelling.restore.Replace(entry.Key)
		return entry
	})
}

func (s *spelled) SetMany(ctx context.Context, items []driver.Item, ttl time.Duration) error {
	list, keys := make([]driver.Item, len(items)), make([]string, len(items))
	for i, item := range items {
		list[i], keys[i] = driver.Item{Key: s.spelling.key(item.Key), Value: item.Value}, item.Key
	}
	return s.spelling.batch(s.Operations.SetMany(ctx, list, ttl), keys)
}

func (s *spelled) DeleteMany(ctx context.Context, keys []string) ([]bool, error) {
	deleted, err := s.Operations.DeleteMany(ctx, s.spelling.keys(keys))
	return deleted, s.spelling.batch(err, keys)
}

func (s *spelled) Lease(ctx context.Context, key string, hold time.Duration) ([]byte, bool, string, error) {
	value, ok, token, err := s.Operations.Lease(ctx, s.spelling.key(key), hold)
	return value, ok, token, s.spelling.check(err, key)
}

func (s *spelled) Fill(ctx context.Context, key, token string, value []byte, ttl time.Duration) (bool, error) {
	filled, err := s.Operations.Fill(ctx, s.spelling.key(key), token, value, ttl)
	return filled, s.spelling.check(err, key)
}

func (s *spelled) Release(ctx context.Context, key, token string) error {
	return s.spelling.check(s.Operations.Release(ctx, s.spelling.key(key), token), key)
}

func (s *spelled) CompareAndSwap(ctx context.Context, key string, old, value []byte, ttl time.Duration) (bool, error) {
	swapped, err := s.Operations.CompareAndSwap(ctx, s.spelling.key(key), old, value, ttl)
	return swapped, s.spelling.check(err, key)
}
