package gcs

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/cachebackends/cachebackends/core/driver"
)

func lease(t *testing.T, b *Backend, key string) (token string) {
	t.Helper()
	value, ok, token, err := b.Lease(t.Context(), key, time.Minute)
	if value != nil || ok || err != nil {
		t.Fatalf("Lease = %q, %v, %q, %v; want a miss", value, ok, token, err)
	}
	return token
}

func fill(t *testing.T, b *Backend, key, token string) bool {
	t.Helper()
	filled, err := b.Fill(t.Context(), key, token, []byte("loaded"), time.Minute)
	if err != nil {
		t.Fatalf("Fill: %v", err)
	}
	return filled
}

func TestLease(t *testing.T) {
	f := startFake(t)
	b, other := start(t, f, Options{}), start(t, f, Options{})
	b.Ping(t.Context()) // has seen the bucket
	f.log()
	token := lease(t, b, "k")
	if requests := f.log(); len(requests) != 2 || !strings.Contains(requests[1], "ifGenerationMatch=0") {
		t.Errorf("Lease of an absent key makes %q; want a read and a write on a condition", requests)
	}
	if token == "" || lease(t, other, "k") != "" || lease(t, other, "other") == "" {
		t.Error("want one token for each key")
	}
	f.log()
	if !fill(t, b, "k", token) || len(f.log()) != 1 {
		t.Error("Fill is refused, or more than one request")
	}
	f.log()
	value, ok, again, err := other.Lease(t.Context(), "k", time.Minute)
	if string(value) != "loaded" || !ok || again != "" || err != nil || len(f.log()) != 1 {
		t.Errorf("Lease of a present key = %q, %v, %q, %v; want the value in one request", value, ok, again, err)
	}
	f.expire("k")
	if lease(t, other, "k") == "" {
		t.Error("no lease of an expired key")
	}
	f.put("damaged", "x", map[string]string{metaExpires: "soon"})
	if lease(t, b, "damaged") == "" {
		t.Error("no lease of a damaged entry")
	}
}

// Rule LSE-4 of the contract, also if reads remove expired objects.
func TestLeasedKeyIsAbsent(t *testing.T) {
	f := startFake(t)
	b, ctx := start(t, f, Options{DeleteExpiredOnRead: true}), t.Context()
	token := lease(t, b, "k")
	_, get, errGet := b.Get(ctx, "k")
	has, errHas := b.Has(ctx, "k")
	_, ttl, errTTL := b.TTL(ctx, "k")
	values, errMany := b.GetMany(ctx, []string{"k"})
	swapped, errSwap := b.CompareAndSwap(ctx, "k", nil, []byte("v"), 0)
	if err := errors.Join(errGet, errHas, errTTL, errMany, errSwap); get || has || ttl || values[0] != nil || swapped || err != nil {
		t.Errorf("Get %v, Has %v, TTL %v, GetMany %q, CompareAndSwap %v, %v", get, has, ttl, values, swapped, err)
	}
	if !fill(t, b, "k", token) {
		t.Error("reads ended the lease")
	}
	lease(t, b, "ended")
	f.get("ended").Metadata[metaLease] = "1000"
	if b.Has(ctx, "ended"); f.get("ended") != nil {
		t.Error("the object of an ended lease stays")
	}
}

// Rules LSE-3 and LSE-4 of the contract.
func TestLeaseEnds(t *testing.T) {
	for name, change := range map[string]func(b *Backend, token string) (ok bool, err error){
		"Set": func(b *Backend, _ string) (bool, error) { return true, b.Set(t.Context(), "k", []byte("v"), 0) },
		"Add": func(b *Backend, _ string) (bool, error) { return b.Add(t.Context(), "k", []byte("v"), 0) },
		"Inc": func(b *Backend, _ string) (bool, error) {
			n, err := b.Inc(t.Context(), "k", 5, 0)
			return n == 5, err
		},
		"Delete": func(b *Backend, _ string) (bool, error) {
			deleted, err := b.Delete(t.Context(), "k")
			return !deleted, err
		},
		"DeleteMany": func(b *Backend, _ string) (bool, error) {
			deleted, err := b.DeleteMany(t.Context(), []string{"k"})
			return !deleted[0], err
		},
		"ClearPrefix": func(b *Backend, _ string) (bool, error) { return true, b.ClearPrefix(t.Context(), "k") },
		"Fill": func(b *Backend, token string) (bool, error) {
			return b.Fill(t.Context(), "k", token, []byte("v"), 0)
		},
		"Release": func(b *Backend, token string) (bool, error) { return true, b.Release(t.Context(), "k", token) },
	} {
		t.Run(name, func(t *testing.T) {
			f := startFake(t)
			b := start(t, f, Options{})
			token := lease(t, b, "k")
			if ok, err := change(b, token); !ok || err != nil {
				t.Errorf("%v, %v", ok, err)
			}
			before := f.get("k")
			if fill(t, b, "k", token) || f.get("k") != before {
				t.Error("a lease that has ended was filled")
			}
			if err := b.Release(t.Context(), "k", token); err != nil || f.get("k") != before {
				t.Errorf("Release of a lease that has ended: %v, left %v", err, f.get("k"))
			}
			if before == nil && lease(t, b, "k") == "" {
				t.Error("the next caller gets no lease")
			}
		})
	}
}

// A caller judges the hold by its own clock: for Fill by that of the process.
func TestHoldEnds(t *testing.T) {
	f := startFake(t)
	b := start(t, f, Options{})
	_, _, token, err := b.Lease(t.Context(), "k", time.Nanosecond)
	f.log()
	if token == "" || err != nil || fill(t, b, "k", token) || len(f.log()) > 0 {
		t.Errorf("Lease = %q, %v; want a token that Fill refuses without a request", token, err)
	}
	for left, held := range map[time.Duration]bool{
		-time.Millisecond: false, time.Minute: true, driver.MaxHold + 5*time.Second: true, time.Hour: false, // written by a clock that is ahead
	} {
		f.put("k", "", map[string]string{metaExpires: "1", metaLease: fmt.Sprint(time.Now().Add(left).UnixMilli())})
		generation := f.get("k").Generation
		if got := lease(t, b, "k") == ""; got != held || held != (f.get("k").Generation == generation) {
			t.Errorf("held %v with %v left; want %v", got, left, held)
		}
	}
}

// The object of a lease has no bytes, and lifecycle rules find its end in customTime.
func TestLeaseObject(t *testing.T) {
	f := startFake(t)
	b := start(t, f, Options{})
	before := time.Now()
	lease(t, b, "k")
	o := f.get("k")
	end, err := time.Parse(time.RFC3339, o.CustomTime)
	if early := before.Add(time.Minute).Sub(end); len(o.content) > 0 || o.Metadata[metaExpires] != "1" || err != nil || early > time.Second || early < -time.Minute {
		t.Errorf("%d bytes, customTime %q, %v; want a minute, in whole seconds", len(o.content), o.CustomTime, o.Metadata)
	}
}

func TestMalformedTokens(t *testing.T) {
	f := startFake(t)
	b := start(t, f, Options{})
	token := lease(t, b, "k")
	before := f.get("k")
	for _, token := range []string{"", "x", "7", "9223372036854775807 0", "7 x", "99999999999999999999 1", token + "x", token[:len(token)-1], "x" + token} {
		if fill(t, b, "k", token) {
			t.Errorf("%q is accepted", token)
		}
		if err := b.Release(t.Context(), "k", token); err != nil {
			t.Errorf("Release(%q): %v", token, err)
		}
	}
	if f.get("k") != before {
		t.Error("the lease was ended")
	}
}

// Rule LSE-6 of the contract: a repeated Fill recognises what it stored, and never replaces
// what another caller stored since.
func TestLostReplyOfFill(t *testing.T) {
	f := startFake(t)
	b := start(t, f, Options{})
	token := lease(t, b, "k")
	f.on("write", first(lost))
	if !fill(t, b, "k", token) || f.count("write") != 2 {
		t.Errorf("refused after %d writes; want true after 2", f.count("write"))
	}
	f.expire("k")
	f.on("write", always(usual))
	token = lease(t, b, "k")
	f.on("write", func(n int) string {
		if n == 1 {
			return lost
		}
		f.last++
		f.objects["k"] = newObject(stored{Name: "k", Generation: f.last}, []byte("newer"))
		return usual
	})
	if filled, err := b.Fill(t.Context(), "k", token, []byte("loaded"), 0); filled || !errors.Is(err, driver.ErrUnknownOutcome) {
		t.Errorf("Fill = %v, %v; want ErrUnknownOutcome", filled, err)
	}
	if got := string(f.get("k").content); got != "newer" {
		t.Errorf("stored %q", got)
	}
}

// A lease whose reply is lost is not lost.
func TestLostReplyOfLease(t *testing.T) {
	f := startFake(t)
	b := start(t, f, Options{})
	f.on("write", first(lost))
	if token := lease(t, b, "k"); token == "" || !fill(t, b, "k", token) {
		t.Errorf("token %q is not that of the stored lease", token)
	}
}

// Delete looks again if the lease that it found was filled before it was removed.
func TestDeleteOfFilledLease(t *testing.T) {
	f := startFake(t)
	b := start(t, f, Options{})
	lease(t, b, "k")
	f.on("delete", func(n int) string {
		if n == 1 {
			f.last++
			f.objects["k"] = newObject(stored{Name: "k", Generation: f.last, Metadata: map[string]string{metaExpires: "0"}}, []byte("loaded"))
		}
		return usual
	})
	if deleted, err := b.Delete(t.Context(), "k"); !deleted || err != nil || f.get("k") != nil {
		t.Errorf("Delete = %v, %v, left %v", deleted, err, f.get("k"))
	}
	f.on("delete", always("403"))
	lease(t, b, "k")
	if _, err := b.Delete(t.Context(), "k"); !errors.Is(err, driver.ErrAuth) {
		t.Errorf("Delete that leaves a lease, which may be filled: %v; want ErrAuth", err)
	}
}

func TestCompareAndSwap(t *testing.T) {
	f := startFake(t)
	b, ctx := start(t, f, Options{}), t.Context()
	swap := func(key, old string, want bool) {
		t.Helper()
		if swapped, err := b.CompareAndSwap(ctx, key, []byte(old), []byte("new"), time.Hour); swapped != want || err != nil {
			t.Errorf("CompareAndSwap = %v, %v; want %v", swapped, err, want)
		}
	}
	swap("absent", "", false)
	b.Set(ctx, "k", []byte("old"), 0)
	swap("k", "ol", false)
	swap("k", "old", true)
	if o := f.get("k"); !bytes.Equal(o.content, []byte("new")) || o.Metadata[metaExpires] == "0" {
		t.Errorf("stored %q, %v", o.content, o.Metadata)
	}
	f.expire("k")
	swap("k", "new", false)
	b.Set(ctx, "k", []byte("old"), 0)
	f.on("write", func(n int) string { // another writer wins the first race
		if n == 1 {
			f.last++
			f.objects["k"] = newObject(stored{Name: "k", Generation: f.last}, []byte("old"))
		}
		return usual
	})
	swap("k", "old", true)
	b.Set(ctx, "k", []byte("old"), 0)
	f.on("write", func(n int) string {
		if n == 1 {
			f.last++
			f.objects["k"] = newObject(stored{Name: "k", Generation: f.last}, []byte("another's"))
		}
		return usual
	})
	swap("k", "old", false)
}
