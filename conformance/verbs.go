package conformance

import (
	"context"
	"errors"
	"fmt"
	"time"

	cache "github.com/cachebackends/cachebackends/core"
)

// verb is one operation with a key, for the rules that hold for each of them.
type verb struct {
	name    string
	feature Feature // that it needs, if any
	call    func(ctx context.Context, s *store, key string) error
}

// keyVerbs are in an order in which each finds something to do: on a fresh key,
// all succeed.
var keyVerbs = []verb{
	{"Add", "", func(ctx context.Context, s *store, key string) error {
		added, err := s.Add(ctx, key, []byte("1"), time.Hour)
		return check(err, "added", added, true)
	}},
	{"Get", "", func(ctx context.Context, s *store, key string) error {
		value, _, err := s.Get(ctx, key)
		return check(err, "value", string(value), "1")
	}},
	{"Inc", Counter, func(ctx context.Context, s *store, key string) error {
		sum, err := s.Inc(ctx, key, 4, time.Hour)
		return check(err, "sum", sum, 5)
	}},
	{"Set", "", func(ctx context.Context, s *store, key string) error {
		return s.Set(ctx, key, []byte("2"), time.Hour)
	}},
	{"Has", "", func(ctx context.Context, s *store, key string) error {
		ok, err := s.Has(ctx, key)
		return check(err, "has", ok, true)
	}},
	{"TTL", TTL, func(ctx context.Context, s *store, key string) error {
		_, ok, err := s.TTL(ctx, key)
		return check(err, "ok", ok, true)
	}},
	{"GetMany", "", func(ctx context.Context, s *store, key string) error {
		values, err := s.GetMany(ctx, key)
		if err != nil {
			return err
		}
		return check(err, "value", string(values[0]), "2")
	}},
	{"Delete", "", func(ctx context.Context, s *store, key string) error {
		deleted, err := s.Delete(ctx, key)
		return check(err, "deleted", deleted, true)
	}},
	{"SetMany", "", func(ctx context.Context, s *store, key string) error {
		return s.SetMany(ctx, map[string]string{key: "3"}, time.Hour)
	}},
	{"DeleteMany", "", func(ctx context.Context, s *store, key string) error {
		deleted, err := s.DeleteMany(ctx, key)
		return check(err, "deleted keys", len(deleted), 1)
	}},
}

// allVerbs adds those without a key.
var allVerbs = append(keyVerbs[:len(keyVerbs):len(keyVerbs)],
	verb{"Clear", "", func(ctx context.Context, s *store, _ string) error { return s.Clear(ctx) }},
	verb{"Ping", "", func(ctx context.Context, s *store, _ string) error {
		if pinger, can := s.bare.(cache.Pinger); can {
			return pinger.Ping(ctx)
		}
		return s.cache.Ping(ctx)
	}})

// errResult tells an operation that worked wrongly from one that failed.
var errResult = errors.New("wrong result")

func check[V comparable](err error, what string, got, want V) error {
	if err == nil && got != want {
		return fmt.Errorf("%w: %s is %v, not %v", errResult, what, got, want)
	}
	return err
}

// possible are those of verbs that the backend can do.
func (t *T) possible(verbs []verb) []verb {
	var can []verb
	for _, v := range verbs {
		if v.feature == "" || t.Can(v.feature) {
			can = append(can, v)
		}
	}
	return can
}

// worksOrRefused runs all operations on key: all must work, or all return
// ErrInvalidKey. It reports which.
func (t *T) worksOrRefused(key string) (works bool) {
	refused := 0
	verbs := t.possible(keyVerbs)
	for _, v := range verbs {
		err := v.call(t.ctx, t.try, key)
		if errors.Is(err, cache.ErrInvalidKey) {
			refused++
			continue
		}
		t.Ok(v.name+" with the key "+show(key), err)
	}
	if refused > 0 && refused < len(verbs) {
		t.Wrong("the key "+show(key), text(fmt.Sprintf("ErrInvalidKey from %d of %d operations", refused, len(verbs))),
			text("from all or from none"))
	}
	return refused == 0
}

// works runs all operations on key, which must work.
func (t *T) works(key string) {
	if !t.worksOrRefused(key) {
		t.Wrong("all operations with the key "+show(key), cache.ErrInvalidKey, text("they work"))
	}
}

// refuses runs all operations on key, which must return ErrInvalidKey.
func (t *T) refuses(key string) {
	if t.worksOrRefused(key) {
		t.Wrong("all operations with the key "+show(key), text("they work"), cache.ErrInvalidKey)
	}
}

// distinct stores a value of its own under each key that the store takes, and
// finds it again when all are there.
func (t *T) distinct(keys ...string) {
	held := map[string]string{}
	for i, key := range keys {
		if t.worksOrRefused(key) {
			held[key] = fmt.Sprint(i)
			t.Set(key, held[key], time.Hour)
		}
	}
	var list []string
	for key, value := range held {
		t.Hit("with look-alikes stored beside it", key, value)
		list = append(list, key)
	}
	for i, value := range t.GetMany(list...) {
		Equal(t, "GetMany at the place of "+show(list[i]), string(value), held[list[i]])
	}
	for _, key := range list {
		Equal(t, "Delete("+show(key)+")", t.Delete(key), true)
	}
}
