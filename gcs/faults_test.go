package gcs

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"cloud.google.com/go/storage"
	"github.com/cachebackends/cachebackends/core/driver"
	"google.golang.org/api/googleapi"
)

const value = "a value that no error shows"

// verb is an operation and the kind of the request that decides it.
type verb struct {
	name, key string
	request   string
	write     bool
	call      func(ctx context.Context, b *Backend, key string) error
}

var verbs = []verb{
	{"Get", "k", "read", false, func(ctx context.Context, b *Backend, key string) error {
		_, _, err := b.Get(ctx, key)
		return err
	}},
	{"GetAppend", "k", "read", false, func(ctx context.Context, b *Backend, key string) error {
		_, _, err := b.GetAppend(ctx, key, make([]byte, 1, 100))
		return err
	}},
	{"GetWithTTL", "k", "read", false, func(ctx context.Context, b *Backend, key string) error {
		_, _, _, err := b.GetWithTTL(ctx, key)
		return err
	}},
	{"GetManyWithTTL", "k", "read", false, func(ctx context.Context, b *Backend, key string) error {
		_, _, err := b.GetManyWithTTL(ctx, []string{key})
		return err
	}},
	{"GetMany", "k", "read", false, func(ctx context.Context, b *Backend, key string) error {
		_, err := b.GetMany(ctx, []string{key})
		return err
	}},
	{"Has", "k", "attributes", false, func(ctx context.Context, b *Backend, key string) error {
		_, err := b.Has(ctx, key)
		return err
	}},
	{"TTL", "k", "attributes", false, func(ctx context.Context, b *Backend, key string) error {
		_, _, err := b.TTL(ctx, key)
		return err
	}},
	{"Set", "k", "write", true, func(ctx context.Context, b *Backend, key string) error {
		return b.Set(ctx, key, []byte(value), time.Minute)
	}},
	{"SetMany", "k", "write", true, func(ctx context.Context, b *Backend, key string) error {
		return b.SetMany(ctx, []driver.Item{{Key: key, Value: []byte(value)}}, time.Minute)
	}},
	{"Add", "k", "write", true, func(ctx context.Context, b *Backend, key string) error {
		_, err := b.Add(ctx, key, []byte(value), time.Minute)
		return err
	}},
	{"Inc", "n", "write", true, func(ctx context.Context, b *Backend, key string) error {
		_, err := b.Inc(ctx, key, 1, time.Minute)
		return err
	}},
	{"CompareAndSwap", "k", "write", true, func(ctx context.Context, b *Backend, key string) error {
		_, err := b.CompareAndSwap(ctx, key, []byte("v"), []byte(value), time.Minute)
		return err
	}},
	{"Lease", "n", "write", true, func(ctx context.Context, b *Backend, key string) error {
		_, _, _, err := b.Lease(ctx, key, time.Minute)
		return err
	}},
	{"Fill", "k", "write", true, func(ctx context.Context, b *Backend, key string) error {
		_, err := b.Fill(ctx, key, tokenOfFirst, []byte(value), time.Minute)
		return err
	}},
	{"Release", "k", "delete", true, func(ctx context.Context, b *Backend, key string) error {
		return b.Release(ctx, key, tokenOfFirst)
	}},
	{"Delete", "k", "delete", true, func(ctx context.Context, b *Backend, key string) error {
		_, err := b.Delete(ctx, key)
		return err
	}},
	{"DeleteMany", "k", "delete", true, func(ctx context.Context, b *Backend, key string) error {
		_, err := b.DeleteMany(ctx, []string{key})
		return err
	}},
	{"Clear", "", "list", true, func(ctx context.Context, b *Backend, _ string) error { return b.Clear(ctx) }},
	{"ClearPrefix", "", "list", true, func(ctx context.Context, b *Backend, _ string) error { return b.ClearPrefix(ctx, "p") }},
	{"Scan", "", "list", false, func(ctx context.Context, b *Backend, _ string) (err error) {
		for _, err = range b.Scan(ctx, "p") {
		}
		return err
	}},
	{"Ping", "", "list", false, func(ctx context.Context, b *Backend, _ string) error { return b.Ping(ctx) }},
}

// tokenOfFirst is the token of a lease of the first generation of the fake.
const tokenOfFirst = "9223372036854775807 1"

// answersUnknown reports whether a verb does not know the result of a delete whose reply
// was lost.
func (v verb) answersUnknown() bool { return v.request == "delete" && v.name != "Release" }

// hasNoCondition reports whether a verb stores whatever is present.
func (v verb) hasNoCondition() bool { return v.name == "Set" || v.name == "SetMany" }

// writesOnce reports whether a verb stores an object that must not be stored again.
func (v verb) writesOnce() bool {
	return v.hasNoCondition() || v.name == "Add" || v.name == "Inc"
}

// atOnce tests all verbs concurrently: most of the time is waiting.
func atOnce(t *testing.T, test func(t *testing.T, v verb)) {
	var all sync.WaitGroup
	for _, v := range verbs {
		all.Go(func() { t.Run(v.name, func(t *testing.T) { test(t, v) }) })
	}
	all.Wait()
}

// ready returns a backend on a fake that has the key "k".
func ready(t *testing.T) (*fake, *Backend) {
	f := startFake(t)
	b := start(t, f, Options{AllowFlush: true})
	f.put("k", "v", map[string]string{metaExpires: "0"})
	return f, b
}

func TestStatuses(t *testing.T) {
	for code, want := range map[string]error{
		"400": nil, "401": driver.ErrAuth, "403": driver.ErrAuth, "413": driver.ErrTooLarge,
		"429": driver.ErrUnavailable, "503": driver.ErrUnavailable,
	} {
		t.Run(code, func(t *testing.T) {
			atOnce(t, func(t *testing.T, v verb) {
				f, b := ready(t)
				f.on(v.request, always(code))
				passing := want == driver.ErrUnavailable
				want := want
				if code == "503" && v.answersUnknown() { // see object.delete
					want = driver.ErrUnknownOutcome
				}
				withMoreTime(t, func(limit time.Duration) error {
					begin, before := time.Now(), f.count(v.request)
					err := v.call(soon(t, 4*limit), b, v.key)
					if err == nil || want != nil && !errors.Is(err, want) || want != driver.ErrUnknownOutcome && errors.Is(err, driver.ErrUnknownOutcome) {
						return fmt.Errorf("%s: %v; want %v", v.name, err, want)
					}
					if !strings.Contains(fmt.Sprint(err), "the message of "+code) {
						return fmt.Errorf("%s: %v; want what the service says", v.name, err)
					}
					if n := f.count(v.request) - before; n > 1 != passing {
						return fmt.Errorf("%s was tried %d times", v.name, n)
					}
					if took := time.Since(begin); took > 8*limit {
						return fmt.Errorf("%s with %v took %v", v.name, 4*limit, took)
					}
					return nil
				})
			})
		})
	}
}

// A refusal that ends before the deadline is retried and not reported.
func TestPassingRefusal(t *testing.T) {
	for _, code := range []string{"429", "503", "500", "502"} {
		atOnce(t, func(t *testing.T, v verb) {
			f, b := ready(t)
			f.on(v.request, first(code))
			err := v.call(t.Context(), b, v.key)
			// A 500 may follow execution: Add and Inc cannot know whether another caller has
			// removed or replaced the object that they stored.
			unknown := code[0] == '5' && code != "503" && v.writesOnce()
			if unknown && !errors.Is(err, driver.ErrUnknownOutcome) || !unknown && err != nil {
				t.Errorf("%s after one %s: %v", v.name, code, err)
			}
		})
	}
}

// A 403 with the reason of a rate limit is retried like a 429.
func TestRateLimit403(t *testing.T) {
	body := `{"error": {"code": 403, "message": "slow down", "errors": [{"reason": "rateLimitExceeded"}]}}`
	err := googleapi.CheckResponseWithBody(&http.Response{StatusCode: http.StatusForbidden}, []byte(body))
	if fault := faultOf(err); fault != refused {
		t.Errorf("fault %d; want refused", fault)
	}
}

// A proxy may respond with 503 after the service removed the object.
func TestDeleteExecutedThen503(t *testing.T) {
	for _, v := range verbs {
		if !v.answersUnknown() {
			continue
		}
		f, b := ready(t)
		f.on("delete", first("executed 503"))
		if err := v.call(t.Context(), b, v.key); !errors.Is(err, driver.ErrUnknownOutcome) {
			t.Errorf("%s: %v; want ErrUnknownOutcome", v.name, err)
		}
		f, b = ready(t)
		f.on("delete", first("503"))
		if deleted, err := b.DeleteMany(t.Context(), []string{"k"}); !deleted[0] || err != nil || f.get("k") != nil {
			t.Errorf("after a 503 before execution: %v, %v", deleted, err)
		}
	}
}

// A repeated delete does not remove what was stored after the first.
func TestRepeatedDeleteKeepsNewValue(t *testing.T) {
	f, b := ready(t)
	f.on("delete", func(n int) string {
		if n == 1 {
			return lost
		}
		f.last++
		f.objects["k"] = newObject(stored{Name: "k", Generation: f.last}, []byte("new"))
		return usual
	})
	if _, err := b.Delete(t.Context(), "k"); !errors.Is(err, driver.ErrUnknownOutcome) {
		t.Errorf("%v; want ErrUnknownOutcome", err)
	}
	if f.get("k") == nil {
		t.Error("the new value was removed")
	}
}

// Delete starts again if the object is replaced between its two requests.
func TestDeleteOfReplaced(t *testing.T) {
	f, b := ready(t)
	f.on("delete", func(n int) string {
		if n == 1 {
			f.last++
			f.objects["k"].Generation = f.last
		}
		return usual
	})
	if deleted, err := b.Delete(t.Context(), "k"); !deleted || err != nil || f.get("k") != nil {
		t.Errorf("%v, %v", deleted, err)
	}
	if n := f.count("attributes"); n != 2 {
		t.Errorf("%d requests of attributes; want 2", n)
	}
}

// Clear removes each object on the condition that it is the listed one, so that a request
// that is executed late removes nothing newer. It also removes an object that has replaced
// the listed one meanwhile: Inc may have made it of that one.
func TestClearOfReplaced(t *testing.T) {
	f, b := ready(t)
	f.put("other", "v", nil)
	listed := map[string]int64{"k": f.get("k").Generation, "other": f.get("other").Generation}
	f.on("delete", func(n int) string {
		if n == 1 {
			f.last++
			f.objects["k"] = newObject(stored{Name: "k", Generation: f.last}, []byte("new"))
		}
		return usual
	})
	if err := b.Clear(t.Context()); err != nil || len(f.objects) > 0 {
		t.Errorf("Clear = %v, %d objects are left", err, len(f.objects))
	}
	if lists, reads, deletes := f.count("list"), f.count("attributes"), f.count("delete"); lists != 1 || reads != 1 || deletes != 3 {
		t.Errorf("%d lists, %d requests of attributes and %d deletes; want 1, 1 and 3", lists, reads, deletes)
	}
	requests := strings.Join(f.log(), "\n")
	for key, generation := range listed {
		if !regexp.MustCompile(fmt.Sprintf("DELETE /storage/v1/b/b/o/%s[?].*ifGenerationMatch=%d(&|\n|$)", key, generation)).MatchString(requests) {
			t.Errorf("%s is removed without the condition that it is the listed one", key)
		}
	}
}

// A delete of Clear whose reply is lost is repeated.
func TestClearAfterLostReply(t *testing.T) {
	f, b := ready(t)
	f.on("delete", first(lost))
	if err := b.Clear(t.Context()); err != nil || len(f.objects) > 0 || f.count("delete") != 2 {
		t.Errorf("Clear = %v after %d deletes, %d objects are left", err, f.count("delete"), len(f.objects))
	}
}

// A call that loses races until its context ends returns the error of the context.
func TestLostRaces(t *testing.T) {
	b := start(t, startFake(t), Options{})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	err := b.race(ctx, func(context.Context) (decided bool, err error) {
		cancel()
		return false, nil
	})
	if !errors.Is(err, context.Canceled) || errors.Is(err, driver.ErrUnavailable) {
		t.Errorf("cancelled: %v; want Canceled alone", err)
	}
	err = b.race(soon(t, time.Millisecond), func(context.Context) (decided bool, err error) { return false, nil })
	if !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, driver.ErrUnavailable) {
		t.Errorf("no time for another attempt: %v; want DeadlineExceeded and ErrUnavailable", err)
	}
}

// Rule BAT-16 of the contract: an object that the service holds fails alone.
func TestHeldObjects(t *testing.T) {
	for _, reason := range []string{"retentionPolicyNotMet", "objectUnderActiveHold"} {
		f := startFake(t)
		b := start(t, f, Options{AllowFlush: true, Concurrency: 1})
		var keys []string
		var items []driver.Item
		for i := range 20 {
			key := fmt.Sprintf("k%02d", i)
			keys, items = append(keys, key), append(items, driver.Item{Key: key})
			f.put(key, "old", map[string]string{metaExpires: "0"})
		}
		const held = "k03"
		f.answer = func(_ int, r *http.Request) string {
			if r.Method == http.MethodDelete && strings.HasSuffix(r.URL.Path, held) || r.URL.Query().Get("name") == held {
				return "403 " + reason
			}
			return usual
		}
		isAlone := func(what string, err error) {
			t.Helper()
			var batch *driver.BatchError
			if !errors.As(err, &batch) || len(batch.Failed) != 1 || batch.Failed[0].Key != held || errors.Is(err, driver.ErrAuth) {
				t.Errorf("%s, %s: %v; want the held key alone, and not ErrAuth", reason, what, err)
			}
		}
		isAlone("SetMany", b.SetMany(t.Context(), items, 0))
		deleted, err := b.DeleteMany(t.Context(), keys[:10])
		isAlone("DeleteMany", err)
		if n := len(f.objects); n != 11 || deleted[3] || !deleted[9] {
			t.Errorf("%s: %d objects are left by DeleteMany, %v", reason, n, deleted)
		}
		for i := range namesPerPage {
			f.put(fmt.Sprint("on the next page too ", i), "", nil)
		}
		err = b.Clear(t.Context())
		if err == nil || errors.Is(err, driver.ErrAuth) || !strings.Contains(err.Error(), held) || len(f.objects) != 1 {
			t.Errorf("%s: Clear: %v, left %d; want the held object alone", reason, err, len(f.objects))
		}
		if err := b.Set(t.Context(), held, nil, 0); err == nil || errors.Is(err, driver.ErrAuth) || !strings.Contains(err.Error(), "hold") {
			t.Errorf("%s: Set: %v", reason, err)
		}
	}
}

func TestLostReply(t *testing.T) {
	atOnce(t, func(t *testing.T, v verb) {
		f, b := ready(t)
		if v.name == "Add" {
			delete(f.objects, "k")
		}
		f.on(v.request, first(lost))
		err := v.call(t.Context(), b, v.key)
		unknown := v.answersUnknown() || v.hasNoCondition()
		if unknown && !errors.Is(err, driver.ErrUnknownOutcome) || !unknown && err != nil {
			t.Errorf("%s: %v", v.name, err)
		}
		if n, once := f.count(v.request), v.writesOnce(); n == 1 != once || n > 2 {
			t.Errorf("%s: %d requests; want 2, or 1 if it writes once", v.name, n)
		}
	})
}

// After a lost reply, Add and Inc recognise their own object, and no other.
func TestLostReplyOnCondition(t *testing.T) {
	for _, v := range []struct {
		name string
		call func(b *Backend) (int, error)
	}{
		{"Add", func(b *Backend) (int, error) {
			added, err := b.Add(t.Context(), "n", []byte("1"), time.Minute)
			if !added {
				return 0, err
			}
			return 1, err
		}},
		{"Inc", func(b *Backend) (int, error) {
			n, err := b.Inc(t.Context(), "n", 1, time.Minute)
			return int(n), err
		}},
	} {
		t.Run(v.name, func(t *testing.T) {
			f, b := ready(t)
			f.on("write", first(lost))
			if n, err := v.call(b); n != 1 || err != nil || string(f.get("n").content) != "1" {
				t.Errorf("%d, %v, stored %q; want 1, once", n, err, f.get("n").content)
			}
			for what, other := range map[string]*stored{
				"replaced": newObject(stored{Name: "n", Generation: 99}, []byte("5")), "removed": nil,
			} {
				delete(f.objects, "n")
				f.answer = func(_ int, r *http.Request) string {
					switch kindOf(r) {
					case "write":
						return lost
					case "attributes": // after the write, whose reply is lost
						if delete(f.objects, "n"); other != nil {
							f.objects["n"] = other
						}
					}
					return usual
				}
				if n, err := v.call(b); n != 0 || !errors.Is(err, driver.ErrUnknownOutcome) {
					t.Errorf("its object was %s: %d, %v; want ErrUnknownOutcome", what, n, err)
				}
				if f.get("n") != other {
					t.Errorf("its object was %s, and stored again", what)
				}
			}
		})
	}
}

// A write is in doubt if a lost reply is followed by a refusal.
func TestLostThenRefused(t *testing.T) {
	for _, v := range verbs {
		if v.request != "write" || v.writesOnce() { // which is not sent again
			continue
		}
		t.Run(v.name, func(t *testing.T) {
			t.Parallel()
			f, b := ready(t)
			f.on("write", func(n int) string {
				if n == 1 {
					return lost
				}
				return "503"
			})
			err := v.call(soon(t, 2*time.Second), b, v.key)
			if !errors.Is(err, driver.ErrUnknownOutcome) || errors.Is(err, driver.ErrUnavailable) {
				t.Errorf("%s: %v; want ErrUnknownOutcome", v.name, err)
			}
		})
	}
}

// A write is in doubt if a lost reply is followed by a refused connection.
func TestLostThenNothingListens(t *testing.T) {
	for _, v := range verbs {
		if v.request != "write" {
			continue
		}
		f, b := ready(t)
		if v.name == "Add" {
			delete(f.objects, "k")
		}
		f.on("write", func(int) string {
			f.listener.Close()
			return lost
		})
		if err := v.call(t.Context(), b, v.key); !errors.Is(err, driver.ErrUnknownOutcome) || errors.Is(err, driver.ErrUnavailable) {
			t.Errorf("%s: %v; want ErrUnknownOutcome", v.name, err)
		}
	}
}

func TestSilence(t *testing.T) {
	atOnce(t, func(t *testing.T, v verb) {
		f, b := ready(t)
		f.on(v.request, always(silence))
		unknown := v.write && v.request != "list"
		withMoreTime(t, func(limit time.Duration) error {
			begin := time.Now()
			err := v.call(soon(t, limit), b, v.key)
			if took := time.Since(begin); took > 3*limit {
				return fmt.Errorf("%s with %v took %v", v.name, limit, took)
			}
			if !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, driver.ErrUnknownOutcome) != unknown {
				return fmt.Errorf("%s: %v; unknown outcome should be %v", v.name, err, unknown)
			}
			return nil
		})
		withMoreTime(t, func(limit time.Duration) error {
			ctx, cancel := context.WithCancel(t.Context())
			time.AfterFunc(limit/4, cancel)
			begin := time.Now()
			if err := v.call(ctx, b, v.key); !errors.Is(err, context.Canceled) || time.Since(begin) > 3*limit {
				return fmt.Errorf("%s, cancelled: %v after %v", v.name, err, time.Since(begin))
			}
			return nil
		})
	})
}

// The error of a cancelled retry names the cancellation and the last refusal. On a busy
// machine the cancellation may come before the client has read the refusal, and then the
// call is made again.
func TestCancelDuringPause(t *testing.T) {
	atOnce(t, func(t *testing.T, v verb) {
		f, b := ready(t)
		want := driver.ErrUnavailable
		if v.answersUnknown() {
			want = driver.ErrUnknownOutcome
		}
		var err error
		for range 10 {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			f.on(v.request, func(n int) string {
				if n == 3 {
					time.AfterFunc(20*time.Millisecond, cancel) // the pause is at least 100 ms
				}
				return "503"
			})
			if err = v.call(ctx, b, v.key); !errors.Is(err, context.Canceled) {
				t.Fatalf("%v; want Canceled", err)
			}
			if errors.Is(err, want) {
				return
			}
		}
		t.Errorf("%v; want %v", err, want)
	})
}

// Options.Timeout limits a call whose context has no deadline.
func TestTimeout(t *testing.T) {
	for _, answer := range []string{silence, "503", hangUp} {
		atOnce(t, func(t *testing.T, v verb) {
			f := startFake(t)
			b := start(t, f, Options{AllowFlush: true, Timeout: 100 * time.Millisecond})
			f.put("k", "v", map[string]string{metaExpires: "0"})
			f.on(v.request, always(answer))
			begin := time.Now()
			if err := v.call(context.Background(), b, v.key); err == nil || time.Since(begin) > time.Second {
				t.Errorf("%s: %v after %v", v.name, err, time.Since(begin))
			}
		})
	}
}

// A short read is completed or an error.
func TestCutBody(t *testing.T) {
	f, b := ready(t)
	whole := strings.Repeat("0123456789", 10_000)
	b.Set(t.Context(), "k", []byte(whole), time.Minute)
	f.on("read", first(cut))
	if v, ok, err := b.Get(t.Context(), "k"); string(v) != whole || !ok || err != nil {
		t.Errorf("Get = %d bytes, %v, %v", len(v), ok, err)
	}
	f.on("read", func(n int) string {
		if n == 1 {
			return cut
		}
		return hangUp
	})
	if v, ok, err := b.Get(soon(t, 300*time.Millisecond), "k"); v != nil || ok || !errors.Is(err, driver.ErrUnavailable) {
		t.Errorf("Get = %d bytes, %v, %v; want ErrUnavailable", len(v), ok, err)
	}
}

func TestNothingListens(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	f := &fake{url: "http://" + listener.Addr().String()}
	listener.Close()
	b := start(t, f, Options{AllowFlush: true})
	for _, v := range verbs {
		var err error
		withMoreTime(t, func(time.Duration) error {
			begin := time.Now()
			err = v.call(t.Context(), b, v.key)
			if took := time.Since(begin); took > 50*time.Millisecond {
				return fmt.Errorf("%s took %v", v.name, took)
			}
			return nil
		})
		if !errors.Is(err, driver.ErrUnavailable) || errors.Is(err, driver.ErrUnknownOutcome) {
			t.Errorf("%s: %v; want ErrUnavailable: nothing was sent", v.name, err)
		}
		if strings.Contains(fmt.Sprint(err), "/o/") {
			t.Errorf("%s: %v shows the address of the object", v.name, err)
		}
	}
}

// A call whose context is done sends nothing.
func TestDoneContext(t *testing.T) {
	f, b := ready(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, v := range verbs {
		if err := v.call(ctx, b, v.key); !errors.Is(err, context.Canceled) || errors.Is(err, driver.ErrUnknownOutcome) {
			t.Errorf("%s: %v", v.name, err)
		}
	}
	if requests := f.log(); len(requests) > 0 {
		t.Errorf("requests were made: %q", requests)
	}
}

func TestMissingBucket(t *testing.T) {
	f := startFake(t)
	b, err := New(t.Context(), Options{Bucket: "none", Endpoint: f.url, Anonymous: true, AllowFlush: true})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	for _, v := range verbs {
		if v.name == "Release" {
			continue // no bucket, no lease
		}
		err := v.call(t.Context(), b, v.key)
		if !errors.Is(err, driver.ErrUnavailable) || !errors.Is(err, storage.ErrBucketNotExist) || !strings.Contains(err.Error(), `"none"`) {
			t.Errorf("%s: %v; want ErrBucketNotExist and the name of the bucket", v.name, err)
		}
	}
}

// A miss is one request once the bucket has been seen. Without the right to list, it
// is a miss too.
func TestMissIsOneRequest(t *testing.T) {
	f, b := ready(t)
	f.on("list", always("403"))
	for range 2 {
		if _, ok, err := b.Get(t.Context(), "absent"); ok || err != nil {
			t.Errorf("Get = %v, %v", ok, err)
		}
	}
	f.on("list", always(usual))
	b.Get(t.Context(), "absent")
	f.log()
	b.Get(t.Context(), "absent")
	if requests := f.log(); len(requests) != 1 {
		t.Errorf("requests: %q; want one", requests)
	}
}

func TestDeleteMany(t *testing.T) {
	f, b := ready(t)
	var keys []string
	var want []bool
	for i := range 250 {
		key := fmt.Sprintf("k%03d", i)
		metadata := map[string]string{metaExpires: "0"}
		if i%3 == 1 {
			metadata[metaExpires] = "1000"
		}
		if i%3 != 2 {
			f.put(key, "", metadata)
		}
		keys, want = append(keys, key), append(want, i%3 == 0)
	}
	live, expired := f.get("k000").Generation, f.get("k001").Generation
	deleted, err := b.DeleteMany(t.Context(), keys)
	if err != nil || !slices.Equal(deleted, want) {
		t.Errorf("%v, %v; want %v", deleted, err, want)
	}
	if len(f.objects) != 1 { // k of ready
		t.Errorf("%d objects are left", len(f.objects))
	}
	requests := strings.Join(f.log(), "\n")
	for key, generation := range map[string]int64{"k000": live, "k001": expired} {
		if !regexp.MustCompile(fmt.Sprintf("DELETE /storage/v1/b/b/o/%s[?].*ifGenerationMatch=%d(&|\n|$)", key, generation)).MatchString(requests) {
			t.Errorf("%s is removed without the condition that it is the same", key)
		}
	}
}

// Rule BAT-17 of the contract: an outage ends a batch.
func TestBatchEnds(t *testing.T) {
	f, b := ready(t)
	f.on("read", always("403"))
	keys := make([]string, 1000)
	for i := range keys {
		keys[i] = fmt.Sprint(i)
	}
	_, err := b.GetMany(t.Context(), keys)
	var batch *driver.BatchError
	if !errors.As(err, &batch) || len(batch.Failed) != len(keys) || !errors.Is(err, driver.ErrAuth) {
		t.Errorf("%v; want all keys with ErrAuth", err)
	}
	if n := f.count("read"); n > 2*64 {
		t.Errorf("%d requests", n)
	}
}

func TestErrorsShowNoValue(t *testing.T) {
	for _, answer := range []string{"400", "403", "503", hangUp, lost} {
		atOnce(t, func(t *testing.T, v verb) {
			f, b := ready(t)
			f.on(v.request, always(answer))
			if err := v.call(soon(t, 60*time.Millisecond), b, v.key); strings.Contains(fmt.Sprintf("%+v", err), value) {
				t.Errorf("%s: %v", v.name, err)
			}
		})
	}
}
