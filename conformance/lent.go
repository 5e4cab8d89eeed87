package conformance

import (
	"context"
	"errors"
	"fmt"
	"time"

	cache "github.com/cachebackends/cachebackends/core"
)

// unlessLent says why a case does not apply that needs a store of a certain kind.
func unlessLent(is bool, field string) (reason string) {
	if is {
		return ""
	}
	return "the harness has no such store (Harness." + field + ")"
}

// lent is a store that the harness lends, through Cache; it is closed with the case.
func (t *T) lent(b cache.Backend) *store {
	t.closing = append(t.closing, b)
	return &store{cache: cache.New(b), prefix: t.id + ":", recorder: &recorder{keys: map[string]struct{}{}}}
}

// filled stores n items of size bytes, each with its key in front, and returns the
// keys with the error of each that failed.
func (t *T) filled(s *store, n, size int) (list []string, failed map[string]error, err error) {
	list, items := keys("k", n), map[string]string{}
	for _, key := range list {
		items[key] = fmt.Sprintf("%-*s", size, key)
	}
	err = s.SetMany(t.ctx, items, time.Hour)
	return list, t.named(s, err), err
}

// named are the keys that a batch names as failed, and why.
func (t *T) named(s *store, err error) map[string]error {
	failed := map[string]error{}
	var batch *cache.BatchError
	if errors.As(err, &batch) {
		for _, f := range batch.Failed {
			failed[f.Key[len(s.prefix):]] = f.Err
		}
	} else if err != nil {
		t.Stop("the error of a batch", err, text("a *cache.BatchError, which names what failed"))
	}
	return failed
}

func clearIsGuarded(t *T) {
	s := t.lent(t.guarded())
	t.Ok("Set", s.Set(t.ctx, "k", []byte("v"), time.Hour))
	t.ErrorIs("Clear without a prefix and without permission", s.Clear(t.ctx), errors.ErrUnsupported)
	value, _, err := s.Get(t.ctx, "k")
	t.Ok("Get", err)
	Equal(t, "an entry after a Clear that was refused", string(value), "v")
}

func notLetIn(t *T) {
	s := t.lent(t.unauthorized())
	for _, v := range t.possible(keyVerbs) {
		err := t.within(v.name+" of who is not let in", 5*time.Second, func() error { return v.call(t.ctx, s, "k") })
		t.ErrorIs(v.name+" of who is not let in", err, cache.ErrAuth)
		if errors.Is(err, cache.ErrUnavailable) {
			t.Wrong(v.name+" of who is not let in", err, text("not ErrUnavailable"))
		}
	}
}

func fullStore(t *T) {
	const enough = 32 << 20
	size := 20 << 10
	if t.harness.MaxValue != 0 {
		size = min(size, t.harness.MaxValue/2)
	}
	s := t.lent(t.full())
	list, failed, err := t.filled(s, enough/size, size)
	t.ErrorIs("SetMany of more than there is room for", err, cache.ErrFull)
	stored := 0
	for _, key := range list {
		value, ok, err := s.Get(t.ctx, key)
		t.Ok("Get from a full store", err)
		if named := failed[key] != nil; ok == named {
			t.Stop("the key "+show(key), text(fmt.Sprintf("stored %v, named as failed %v", ok, named)), text("one of both"))
		}
		if !ok {
			continue
		}
		stored++
		if fmt.Sprintf("%-*s", size, key) != string(value) {
			t.Stop("Get from a full store", value, text("what was stored"))
		}
		if stored == 1 {
			t.overwritten(s, key, string(value))
		}
	}
	if stored == 0 {
		t.Stop("entries of a full store", stored, text("some"))
	}
	for _, key := range list {
		_, err := s.Delete(t.ctx, key)
		t.Ok("Delete from a full store", err)
	}
	t.Ok("Set when there is room again", s.Set(t.ctx, "again", make([]byte, size), time.Hour))
}

// overwritten sets key, of a full store, to something larger.
func (t *T) overwritten(s *store, key, old string) {
	err := s.Set(t.ctx, key, []byte(old+old), time.Hour)
	if err != nil {
		t.ErrorIs("Set over an entry of a full store", err, cache.ErrFull)
	}
	value, ok, errGet := s.Get(t.ctx, key)
	t.Ok("Get", errGet)
	if ok && string(value) != old && string(value) != old+old || err == nil && string(value) != old+old {
		t.Wrong("Get after Set over an entry of a full store", value, text("the old value, the new one if it was stored, or a miss"))
	}
}

func someServersOfMany(t *T) {
	b, lose := t.partialOutage()
	s := t.lent(b)
	list, _, err := t.filled(s, 300, 100)
	t.Ok("SetMany", err)
	lose()
	ctx, cancel := context.WithTimeout(t.ctx, 10*time.Second)
	defer cancel()
	values, err := s.GetMany(ctx, list...)
	t.ErrorIs("GetMany with a server lost", err, cache.ErrUnavailable)
	failed := t.named(s, err)
	if len(values) != len(list) {
		t.Stop("GetMany returns one value per key", len(values), len(list))
	}
	hits := 0
	for i, value := range values {
		if hit, named := value != nil, failed[list[i]] != nil; hit == named {
			t.Stop("the key "+show(list[i]), text(fmt.Sprintf("a hit %v, named as failed %v", hit, named)), text("one of both"))
		}
		if value != nil {
			hits++
		}
	}
	if hits == 0 || hits == len(list) {
		t.Wrong("hits of 300 keys of several servers, of which one is lost", hits, text("those of the others"))
	}
}
