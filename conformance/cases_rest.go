package conformance

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	cache "github.com/cachebackends/cachebackends/core"
)

var persistenceCases = []Case{
	{ID: "PER-1", Name: "reopen",
		Rule:     "a store that is closed and opened again has its data and their remaining life",
		Why:      "that is what it is on disk, or on a server, for",
		Features: []Feature{Persistence}, traits: private | cacheOnly | waits,
		Run: func(t *T) {
			ttl := t.Brief()
			t.Set("long", "1", time.Hour)
			t.Set("forever", "2", 0)
			t.Set("brief", "3", ttl)
			t.Set("empty", "", time.Hour)
			t.Ok("Close", t.Close())
			t.second()
			t.Hit("after closing and opening", "long", "1")
			t.Life("after closing and opening", "long", time.Hour)
			t.Hit("after closing and opening", "forever", "2")
			t.Life("after closing and opening", "forever", 0)
			t.Hit("after closing and opening", "empty", "")
			Equal(t, "Add of a key that was there before", t.Add("long", "new", time.Hour), false)
			t.pass(ttl + t.harness.Resolution)
			t.Miss("at the end of a life that began before closing", "brief")
			for _, key := range []string{"long", "forever", "brief", "empty"} {
				t.Delete(key)
			}
		}},
	{ID: "PER-2", Name: "two_handles",
		Rule:     "what one handle sets, adds, increments and deletes, another sees at once",
		Why:      "processes share the store",
		Features: []Feature{Persistence}, traits: private | cacheOnly,
		Run: func(t *T) {
			t.Set("before", "1", time.Hour)
			one := t.try
			t.second()
			other := t.try
			t.Hit("set by another handle before this one was opened", "before", "1")
			for i := range 20 {
				t.try = one
				t.Set("k", fmt.Sprint(i), time.Hour)
				t.try = other
				t.Hit("set by another handle", "k", fmt.Sprint(i))
				Equal(t, "Add of a key that another handle set", t.Add("k", "x", time.Hour), false)
				Equal(t, "Delete of a key that another handle set", t.Delete("k"), true)
				t.try = one
				t.Miss("deleted by another handle", "k")
			}
			if !t.Can(Counter) {
				return
			}
			t.Go(2, func(i int) {
				for range 100 {
					_, err := []*store{one, other}[i].Inc(t.ctx, "n", 1, time.Hour)
					t.Ok("Inc", err)
				}
			})
			t.Hit("after 100 Inc from each of two handles", "n", "200")
		}},
}

// second opens another handle on the store and lets the operations of T use it.
func (t *T) second() {
	b := t.reopen(t.first)
	t.closing = append(t.closing, b)
	shown := b
	if t.mode == fallback {
		shown = withoutFallbacks{b}
	}
	again := *t.try
	again.cache = cache.New(shown, cache.WithPrefix(t.try.recorder.prefix))
	t.try = &again
}

var configCases = []Case{
	{ID: "CFG-6", Name: "secrets_are_not_printed",
		Rule:   "no secret is in a printed form of the backend or in an error",
		Why:    "logs are read by more people than settings",
		traits: once | null,
		Run: func(t *T) {
			_, _, err := t.try.Get(t.ctx, strings.Repeat("k", 1<<17))
			forms := []string{fmt.Sprint(t.first), fmt.Sprintf("%+v", t.first), fmt.Sprintf("%#v", t.first), fmt.Sprint(err)}
			for _, secret := range t.harness.Secrets {
				for i, form := range forms {
					if strings.Contains(form, secret) {
						t.Wrong("a secret in "+[]string{"%v", "%+v", "%#v", "an error"}[i], text("it is there"), text("it is not"))
					}
				}
			}
		},
		when: func(h Harness) string {
			if len(h.Secrets) == 0 {
				return "the harness names none (Harness.Secrets)"
			}
			return ""
		}},
}

var errorCases = []Case{
	{ID: "ERR-1", Name: "server_gone",
		Rule:     "with nobody listening, every operation is ErrUnavailable in less than 50 ms, and works again afterwards",
		Why:      "an outage is not a miss",
		Features: []Feature{Network}, traits: once | private, Run: serverGone},
	{ID: "ERR-2", Name: "errors_tell_what_happened",
		Rule:   "invalid key, invalid timeout, too large, not an integer and closed are told apart by errors.Is",
		Why:    "callers do different things about them",
		traits: cacheOnly | private | null,
		Run:    errorsApart},
	{ID: "ERR-3", Name: "not_let_in",
		Rule:   "a server that does not let the backend in is ErrAuth, and not ErrUnavailable",
		Why:    "an outage passes, a wrong password does not",
		traits: once | private, Run: notLetIn,
		when: func(h Harness) string { return unlessLent(h.Unauthorized != nil, "Unauthorized") }},
	{ID: "ERR-4", Name: "full_store",
		Rule:   "a full store is ErrFull: reads and deletes work, what is not stored is named, an old value is there or gone",
		Why:    "a store that is full is not down, and what it has is worth reading",
		traits: once | private, Run: fullStore,
		when: func(h Harness) string { return unlessLent(h.Full != nil, "Full") }},
	{ID: "ERR-5", Name: "error_text",
		Rule:   "the text of an error has the operation, the backend and the quoted, cut key; never the value",
		Why:    "keys from outside forge lines of logs, and values are not for logs",
		traits: cacheOnly | null,
		Run:    errorText},
	{ID: "ERR-6", Name: "ignore_errors",
		Rule:     "WithIgnoreErrors makes every fault a miss, false or nil, and calls the observer once for each",
		Why:      "a cache that is down must not take the program with it",
		Features: []Feature{Network}, traits: once | private, Run: ignoreErrors},
}

func errorsApart(t *T) {
	sentinels := []error{cache.ErrInvalidKey, cache.ErrInvalidTimeout, cache.ErrTooLarge, cache.ErrNotInteger, cache.ErrClosed}
	only := func(what string, err, want error) {
		t.ErrorIs(what, err, want)
		var made *cache.Error
		if !errors.As(err, &made) {
			t.Wrong(what, err, text("a *cache.Error"))
		}
		for _, other := range sentinels {
			if other != want && errors.Is(err, other) {
				t.Wrong(what, err, text("not "+show(other)))
			}
		}
	}
	key := t.Own("k")
	_, _, err := t.cache.Get(t.ctx, "")
	only("Get with an empty key", err, cache.ErrInvalidKey)
	only("Set with a negative timeout", t.cache.Set(t.ctx, key, nil, cache.Timeout(-1)), cache.ErrInvalidTimeout)
	if limit := t.harness.MaxValue; limit != 0 {
		only("Set of a value over the limit", t.cache.Set(t.ctx, key, make([]byte, limit+1)), cache.ErrTooLarge)
	}
	if t.Can(Storage) && t.Can(Counter) {
		t.Ok("Set", t.cache.Set(t.ctx, key, []byte("text")))
		_, err = t.cache.Inc(t.ctx, key, 1)
		only("Inc of a text", err, cache.ErrNotInteger)
		_, err = t.cache.Delete(t.ctx, key)
		t.Ok("Delete", err)
	}
	t.Ok("Close", t.Close())
	_, _, err = t.cache.Get(t.ctx, key)
	only("Get after Close", err, cache.ErrClosed)
}

func errorText(t *T) {
	const value = "the-secret-value"
	key := t.Own("line\nbreak" + strings.Repeat("x", 100))
	err := t.cache.Set(t.ctx, key, []byte(value), cache.Timeout(-1))
	said := fmt.Sprint(err)
	for what, want := range map[string]string{"the operation": " set ", "the backend": t.cache.Name(), "the quoted key": `\n`} {
		if !strings.Contains(said, want) {
			t.Wrong("the text of an error has "+what, said, text("it contains "+show(want)))
		}
	}
	if strings.ContainsAny(said, "\n\r") || strings.Contains(said, value) || len(said) > 400 {
		t.Wrong("the text of an error", said, text("one line, cut, without the value"))
	}
	if !t.Can(Storage) || !t.Can(Counter) {
		return
	}
	key = t.Own("k")
	t.Ok("Set", t.cache.Set(t.ctx, key, []byte(value)))
	if _, err = t.cache.Inc(t.ctx, key, 1); strings.Contains(fmt.Sprint(err), value) {
		t.Wrong("the text of Inc of a text", err, text("not the value"))
	}
}

var nullCases = []Case{
	{ID: "NUL-1", Name: "keeps_nothing",
		Rule:   "null: Set, Add, Delete and Clear succeed, Get never hits, Add is always true, Delete false",
		Why:    "a program runs without a cache as with an empty one",
		traits: nullOnly,
		Run: func(t *T) {
			t.Set("k", "v", time.Hour)
			t.Miss("after Set", "k")
			Equal(t, "Add", t.Add("k", "v", time.Hour), true)
			Equal(t, "Add again", t.Add("k", "v", time.Hour), true)
			Equal(t, "Has after Set and Add", t.Has("k"), false)
			t.SetMany(map[string]string{"k": "v"}, 0)
			for _, value := range t.GetMany("k", "l") {
				Equal(t, "GetMany after SetMany", value == nil, true)
			}
			Equal(t, "Delete", t.Delete("k"), false)
			Equal(t, "keys that DeleteMany found", len(t.DeleteMany("k", "l")), 0)
			err := t.try.Clear(t.ctx)
			if t.mode != prefixed || !errors.Is(err, errors.ErrUnsupported) {
				t.Ok("Clear", err)
			}
			sum, err := t.try.Inc(t.ctx, "k", 3, time.Hour)
			if !errors.Is(err, errors.ErrUnsupported) {
				t.Ok("Inc", err)
				Equal(t, "Inc, of what is never there, by 3", sum, 3)
			}
		}},
	{ID: "NUL-2", Name: "checks_as_the_others_do",
		Rule:   "null: an empty key, a negative timeout, a done context and a closed cache are errors as everywhere",
		Why:    "tests against null find mistakes before production does",
		traits: nullOnly | cacheOnly,
		Run: func(t *T) {
			t.ErrorIs("Set with an empty key", t.cache.Set(t.ctx, "", nil), cache.ErrInvalidKey)
			t.ErrorIs("Set with a negative timeout", t.cache.Set(t.ctx, "k", nil, cache.Timeout(-1)), cache.ErrInvalidTimeout)
			done, cancel := context.WithCancel(t.ctx)
			cancel()
			t.ErrorIs("Set with a cancelled context", t.cache.Set(done, "k", nil), context.Canceled)
			t.Ok("Close", t.Close())
			for _, v := range t.possible(allVerbs) {
				t.ErrorIs(v.name+" after Close", v.call(t.ctx, t.try, "k"), cache.ErrClosed)
			}
		}},
}
