package tiered

import (
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cachebackends/cachebackends/core/driver"
	"github.com/cachebackends/cachebackends/tiered/internal/memory"
)

// rule is one row of the contract of this package. Each is caught to fail by the mutants
// that name it.
type rule struct {
	name  string
	setup setup
	check func(w *world)
}

// bounded are the options without notices.
var bounded = setup{options: Options{NearTTL: 10 * time.Second}, far: func(f memory.Far) driver.Backend { return memory.Lives{Far: f} }}

var rules = []rule{
	{"own writes are read at once", setup{}, ownWrites},
	{"own writes are read at once, without notices", bounded, ownWrites},
	{"own writes are near", setup{}, func(w *world) {
		w.far.Silence(true) // changes of the own process need not be reported
		w.must(w.one.Set(w.ctx, "k", []byte("1"), 0))
		synctest.Wait()
		w.want("k", "1", "near")
		w.must(w.one.SetMany(w.ctx, []driver.Item{{Key: "l", Value: []byte("2")}}, 0))
		w.want("l", "2", "near")
	}},
	{"own writes do not bounce", setup{}, func(w *world) {
		w.must(w.one.Set(w.ctx, "k", []byte("1"), 0))
		synctest.Wait() // the notice of the own write arrives
		if calls := w.far.Calls(); len(calls) != 1 {
			w.errorf("a notice led to a call of far: %q", calls)
		}
		w.want("k", "1", "")
		w.want("k", "1", "near")
	}},
	{"another's write is seen within the bound", setup{}, func(w *world) {
		const delay = 20 * time.Millisecond
		w.far.Delay(delay)
		for name, write := range sorted(writes) {
			w.must(w.far.Set(w.ctx, "k", []byte("1"), 0))
			time.Sleep(maxPause) // after a Clear the watch begins anew
			w.want("k", "1", "far")
			w.want("k", "1", "near")
			w.must(write(w.ctx, driver.Resolve(w.far)))
			time.Sleep(delay)
			synctest.Wait()
			if got, want := w.read("k"), w.inFar("k"); got != want {
				w.errorf("%s by another process: got %q after the delay of a notice, want %q", name, got, want)
			}
		}
	}},
	{"another's write is seen within the bound, without notices", bounded, func(w *world) {
		w.load("k", "1", 0)
		time.Sleep(5 * time.Second)
		w.must(w.far.Set(w.ctx, "k", []byte("2"), 0))
		w.want("k", "1", "near")
		time.Sleep(5 * time.Second)
		w.want("k", "2", "far")
	}},
	{"a slow read does not prolong staleness", bounded, func(w *world) {
		w.must(w.far.Set(w.ctx, "k", []byte("1"), 0))
		w.far.After(slow("get_ttl", 4*time.Second))
		w.want("k", "1", "far")
		w.must(w.far.Set(w.ctx, "k", []byte("2"), 0)) // 4 s after the read began
		time.Sleep(6 * time.Second)
		w.want("k", "2", "far")
	}},
	{"near never outlives far", bounded, neverOutlives},
	{"near never outlives far, with notices", setup{}, neverOutlives},
	{"a link that is cut empties near", setup{}, func(w *world) {
		w.load("k", "1", 0)
		w.far.Silence(true)
		w.must(w.far.Set(w.ctx, "k", []byte("2"), 0))
		w.far.Cut(memory.ErrCut)
		synctest.Wait()
		w.want("k", "2", "far")
		w.want("k", "2", "far") // no entry is kept before the next watch
		time.Sleep(maxPause)
		w.want("k", "2", "far")
		w.want("k", "2", "near")
	}},
	{"a link that stalls empties near within Grace", setup{}, func(w *world) {
		w.load("k", "1", 0)
		w.far.Stall()
		w.must(w.far.Set(w.ctx, "k", []byte("2"), 0)) // its notice is lost
		time.Sleep(grace)
		synctest.Wait()
		w.want("k", "2", "far")
		time.Sleep(maxPause)
		w.want("k", "2", "far")
	}},
	{"an overrun is a loss", setup{}, func(w *world) {
		w.load("k", "1", 0)
		w.far.Silence(true)
		w.must(w.far.Set(w.ctx, "k", []byte("2"), 0))
		w.far.Cut(memory.ErrOverrun)
		synctest.Wait()
		w.want("k", "2", "far")
		time.Sleep(maxPause)
		w.want("k", "2", "far")
	}},
	{"a link that reconnects empties near again", setup{options: Options{NearTTL: time.Hour}}, func(w *world) {
		w.far.Before(failing("watch", errLink))
		w.far.Cut(memory.ErrCut)
		synctest.Wait()
		w.load("k", "1", 0) // for NearTTL
		w.must(w.far.Set(w.ctx, "k", []byte("2"), 0))
		w.want("k", "1", "near")
		w.far.Before(nil)
		time.Sleep(maxPause)
		synctest.Wait()
		w.want("k", "2", "far")
	}},
	{"while a link is cut entries live for NearTTL", setup{options: Options{NearTTL: 10 * time.Second}}, func(w *world) {
		w.far.Before(failing("watch", errLink))
		w.far.Cut(memory.ErrCut)
		synctest.Wait()
		w.load("k", "1", 0)
		time.Sleep(9 * time.Second) // the failures of Watch do not empty near
		w.want("k", "1", "near")
		time.Sleep(time.Second)
		w.want("k", "1", "far")
	}},
	{"a fill that raced a change is dropped", setup{}, func(w *world) {
		for name, write := range sorted(writes) {
			w.race(name, driver.Resolve(w.far), write)
		}
	}},
	{"a fill that raced an own write is dropped", bounded, func(w *world) {
		for name, write := range sorted(writes) {
			w.race(name, w.one, write)
		}
	}},
	{"a fill during an own write is dropped", bounded, func(w *world) {
		for name, write := range sorted(writes) {
			w.during(name, write)
		}
	}},
	{"the value of an own write that raced a change is dropped", setup{}, func(w *world) {
		w.far.Silence(true)
		for _, op := range []string{"set", "add"} {
			w.must(w.far.ClearPrefix(w.ctx, ""))
			paused, resume := w.pauseFar(op, true)
			go func() {
				if op == "set" {
					w.must(w.one.Set(w.ctx, "k", []byte("1"), 0))
				} else {
					_, err := w.one.Add(w.ctx, "k", []byte("1"), 0)
					w.must(err)
				}
			}()
			<-paused
			w.far.After(nil)
			w.must(w.far.Set(w.ctx, "k", []byte("2"), 0))
			w.b.near.changed("k")
			resume()
			synctest.Wait()
			w.want("k", "2", "")
		}
	}},
	{"two own writes leave what far has", bounded, func(w *world) {
		paused, resume := w.pauseFar("set", true)
		go func() { w.must(w.one.Set(w.ctx, "k", []byte("1"), 0)) }()
		<-paused
		w.far.After(nil)
		w.must(w.one.Set(w.ctx, "k", []byte("2"), 0))
		resume()
		synctest.Wait()
		w.want("k", "2", "")
		w.want("k", "2", "")
	}},
	{"Clear empties near everywhere", setup{}, func(w *world) {
		w.load("k", "1", 0)
		w.must(w.far.Clear(w.ctx))
		synctest.Wait()
		w.want("k", "", "far")
		time.Sleep(maxPause)
		w.want("k", "", "far")
		w.load("k", "1", 0)
		w.load("l", "1", 0)
		w.must(w.far.ClearPrefix(w.ctx, "k"))
		synctest.Wait()
		w.want("k", "", "far")
		w.want("l", "1", "near")
	}},
	{"misses and faults are not kept", bounded, func(w *world) {
		w.want("k", "", "far")
		w.must(w.far.Set(w.ctx, "k", []byte("1"), 0))
		for _, err := range []error{errLink, driver.ErrCorrupt} {
			w.far.After(func(string, string) error { return err })
			if _, ok, got := w.one.Get(w.ctx, "k"); ok || !errors.Is(got, err) {
				w.errorf("Get: got %v, %v; want %v", ok, got, err)
			}
			if values, got := w.one.GetMany(w.ctx, []string{"k"}); !errors.Is(got, err) {
				w.errorf("GetMany: got %q, %v; want %v", values, got, err)
			}
			w.far.After(nil)
			w.must(w.far.Set(w.ctx, "k", []byte("2"), 0))
			w.want("k", "2", "far")
			w.must(w.one.Set(w.ctx, "k", []byte("1"), 0))
			_, _ = w.one.Delete(w.ctx, "k")
			w.must(w.far.Set(w.ctx, "k", []byte("1"), 0))
		}
	}},
	{"a write that failed is not near", bounded, func(w *world) {
		for _, err := range []error{errLink, driver.ErrUnknownOutcome} {
			for name, write := range sorted(writes) {
				w.must(w.one.Set(w.ctx, "k", []byte("1"), 0))
				if hook := failing("set set_many delete inc swap clear clear_prefix", err); err == errLink {
					w.far.Before(hook)
				} else {
					w.far.After(hook) // executed, and the reply is lost
				}
				if got := write(w.ctx, w.one); !errors.Is(got, err) {
					w.errorf("%s: got %v, want %v", name, got, err)
				}
				w.far.Before(nil)
				w.far.After(nil)
				w.want("k", w.inFar("k"), "far")
			}
		}
	}},
	{"notices of foreign prefixes change nothing", setup{options: Options{Prefix: "app:"}}, func(w *world) {
		w.load("app:k", "1", 0)
		w.far.SendForeign()
		w.must(w.near.Set(w.ctx, "other:k", []byte("1"), 0)) // as if it were near
		w.must(w.far.Set(w.ctx, "other:k", []byte("2"), 0))
		w.far.Delete(w.ctx, "apple")
		synctest.Wait()
		w.want("app:k", "1", "near")
		if w.inNear("other:k") != "1" {
			w.errorf("the notice of a foreign key has removed an entry")
		}
	}},
	{"keys without the prefix are not near", setup{options: Options{Prefix: "app:"}}, func(w *world) {
		w.must(w.one.Set(w.ctx, "other:k", []byte("1"), 0))
		w.want("other:k", "1", "far")
		w.want("other:k", "1", "far")
		w.must(w.far.Set(w.ctx, "other:k", []byte("2"), 0))
		w.want("other:k", "2", "far")
	}},
	{"a near store that does not remove is not used", bounded, func(w *world) {
		w.load("k", "1", 0)
		w.near.Before(failing("delete clear clear_prefix", errLink))
		w.must(w.one.Set(w.ctx, "k", []byte("2"), 0))
		w.want("k", "2", "far")
		w.want("k", "2", "far")
		w.near.Before(nil)
		w.want("k", "2", "far")
		w.want("k", "2", "near")
	}},
}

func TestCoherence(t *testing.T) {
	for _, r := range rules {
		t.Run(r.name, func(t *testing.T) {
			for _, failure := range run(t, r.setup, r.check) {
				t.Error(failure)
			}
		})
	}
}

// Every defect is found by the rules that it names.
func TestCoherenceOfMutants(t *testing.T) {
	for name, m := range mutants {
		t.Run(name, func(t *testing.T) {
			for _, want := range m.rules {
				i := slices.IndexFunc(rules, func(r rule) bool { return r.name == want })
				if i < 0 {
					t.Fatalf("no rule %q", want)
				}
				s := rules[i].setup
				s.mutant = m.mutant
				if failures := run(t, s, rules[i].check); len(failures) == 0 {
					t.Errorf("passes the rule %q", want)
				}
			}
		})
	}
	caught := make(map[string]bool)
	for _, m := range mutants {
		for _, name := range m.rules {
			caught[name] = true
		}
	}
	for _, r := range rules {
		if !caught[r.name] {
			t.Errorf("no mutant fails the rule %q", r.name)
		}
	}
}
