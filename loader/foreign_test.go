package loader

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	cache "github.com/cachebackends/cachebackends/core"
	"github.com/cachebackends/cachebackends/core/cachetest"
)

// marked is a UniversalCodec for text and bytes that decodes only what it has encoded.
type marked struct{}

func (marked) EncodesAll() {}

func (marked) Marshal(value any) ([]byte, error) {
	switch value := value.(type) {
	case *[]byte:
		return append([]byte("marked:"), *value...), nil
	case *string:
		return append([]byte("marked:"), *value...), nil
	}
	return nil, fmt.Errorf("a %T", value)
}

func (marked) Unmarshal(data []byte, target any) error {
	text, ok := strings.CutPrefix(string(data), "marked:")
	if !ok {
		return errors.New("no mark")
	}
	switch target := target.(type) {
	case *[]byte:
		*target = []byte(text)
	case *string:
		*target = text
	}
	return nil
}

// A value that the codec cannot decode is replaced by the next load.
func TestUndecodableValue(t *testing.T) {
	get := func(ctx context.Context, l *Loader[string]) (string, error) { return l.Get(ctx, "k") }
	refresh := func(ctx context.Context, l *Loader[string]) (string, error) { return l.Refresh(ctx, "k") }
	for name, test := range map[string]struct {
		lease  time.Duration
		ignore bool
		first  func(ctx context.Context, l *Loader[string]) (string, error)
	}{
		"Get":                         {first: get},
		"Get with a lease":            {lease: time.Minute, first: get},
		"Get that ignores errors":     {lease: time.Minute, ignore: true, first: get},
		"Refresh":                     {first: refresh},
		"Refresh with a lease":        {lease: time.Minute, first: refresh},
		"Refresh that ignores errors": {ignore: true, first: refresh},
		"GetMany": {first: func(ctx context.Context, l *Loader[string]) (string, error) {
			results, err := l.GetMany(ctx, "k")
			return results[0].Value, err
		}},
		"Expire": {first: func(ctx context.Context, l *Loader[string]) (string, error) {
			if err := l.Expire(ctx, "k"); err != nil {
				return "", err
			}
			return l.Get(ctx, "k")
		}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, stop := context.WithTimeout(t.Context(), time.Hour)
				defer stop()
				s := cachetest.NewStore()
				if err := s.Set(ctx, "k", []byte("a pickled dict"), 0); err != nil {
					t.Fatal(err)
				}
				loads := 0
				settings := []cache.Option{cache.WithCodec(marked{})}
				if test.ignore {
					settings = append(settings, cache.WithIgnoreErrors())
				}
				l := New(cache.New(s, settings...), Policy{Fresh: time.Hour, Stale: time.Hour, Lease: test.lease}, func(context.Context, string) (string, error) {
					loads++
					return "loaded", nil
				})
				defer l.Close()
				began := time.Now()
				if got, err := test.first(ctx, l); got != "loaded" || err != nil {
					t.Errorf("the first call returned %q, %v", got, err)
				}
				if got, err := l.Get(ctx, "k"); got != "loaded" || err != nil || loads != 1 || time.Since(began) != 0 {
					t.Errorf("Get = %q, %v after %d loads and %v, want one load at once", got, err, loads, time.Since(began))
				}
			})
		})
	}
}
