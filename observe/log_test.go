package observe_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	cache "github.com/cachebackends/cachebackends/core"
	"github.com/cachebackends/cachebackends/core/cachetest"
	"github.com/cachebackends/cachebackends/observe"
)

// recorder is a logger whose messages a test reads.
type recorder struct{ buffer bytes.Buffer }

func (r *recorder) logger() *slog.Logger {
	return slog.New(slog.NewJSONHandler(&r.buffer, &slog.HandlerOptions{Level: slog.LevelInfo}))
}

// take returns the messages since its last call.
func (r *recorder) take(t *testing.T) (messages []map[string]any) {
	t.Helper()
	decoder := json.NewDecoder(strings.NewReader(r.buffer.String()))
	r.buffer.Reset()
	for decoder.More() {
		var m map[string]any
		if err := decoder.Decode(&m); err != nil {
			t.Fatal(err)
		}
		messages = append(messages, m)
	}
	return messages
}

// An outage is one message at once and one summary per interval; no failure is lost.
func TestLogOfAnOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var r recorder
		c, store := cachetest.New(t, cache.WithObserver(observe.Log(r.logger(), observe.LogOptions{Every: 10 * time.Second})))
		c.Get(t.Context(), "k")
		if got := r.take(t); len(got) != 0 {
			t.Errorf("logged %v without a failure", got)
		}
		store.Fail("", "", cache.ErrUnavailable)
		for range 100 {
			c.Get(t.Context(), "k")
			c.Set(t.Context(), "k", nil)
			time.Sleep(250 * time.Millisecond)
		}
		store.Heal()
		time.Sleep(time.Minute)
		synctest.Wait()
		logged := map[any]int{}
		failures := map[any]float64{}
		for _, m := range r.take(t) {
			logged[m["op"]]++
			if times, isSummary := m["times"].(float64); isSummary {
				failures[m["op"]] += times
			} else if failures[m["op"]]++; m["error"] != cache.ErrUnavailable.Error() {
				t.Errorf("the message %v has no error", m)
			}
			if m["kind"] != "unavailable" || m["backend"] != "cachetest" || m["level"] != "WARN" {
				t.Errorf("got %v", m)
			}
		}
		for _, op := range []string{"get", "set"} {
			if failures[op] != 100 || logged[op] != 4 {
				t.Errorf("%s: %v failures in %d messages, want 100 in 1 and 3 summaries", op, failures[op], logged[op])
			}
		}
		store.Fail("", "", cache.ErrUnavailable)
		c.Get(t.Context(), "k")
		if got := r.take(t); len(got) != 1 {
			t.Errorf("the next outage: logged %v, want one message", got)
		}
		time.Sleep(time.Minute) // for the timer
	})
}

func TestLogOfKinds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var r recorder
		log := observe.Log(r.logger(), observe.LogOptions{Slow: time.Second, Every: -1})
		for _, tt := range []struct {
			event cache.Event
			want  string // level and message; "" for none
		}{
			{cache.Event{Op: "get", Duration: time.Second}, ""},
			{cache.Event{Op: "get", Duration: 2 * time.Second}, "WARN cache operation is slow"},
			{cache.Event{Op: "get", Err: context.Canceled}, ""}, // a debug message
			{cache.Event{Op: "load", Err: errors.New("no database")}, "WARN cache operation failed"},
			{cache.Event{Op: "load", Err: errors.New("no database")}, "WARN cache operation failed"},
			{cache.Event{Op: "stale"}, ""},
			{cache.Event{Op: "breaker_open", Err: cache.ErrUnavailable}, "WARN cache backend reported an event"},
			{cache.Event{Op: "breaker_closed"}, "INFO cache backend reported an event"},
		} {
			log(t.Context(), tt.event)
			got := ""
			for _, m := range r.take(t) {
				got += m["level"].(string) + " " + m["msg"].(string)
			}
			if got != tt.want {
				t.Errorf("%+v: logged %q, want %q", tt.event, got, tt.want)
			}
		}
	})
}
