package memcached

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	cache "github.com/cachebackends/cachebackends/core"
	"github.com/cachebackends/cachebackends/memcached/internal/wire"
)

// startPieces returns a Backend over pieces of ten characters that wide has repeated, and one that reads and writes
// the pieces themselves.
func startPieces(t *testing.T) (b, raw *Backend) {
	t.Helper()
	f := startFake(t, nil)
	b = start(t, Options{Servers: []string{f.addr}, Flask: true, Spread: true, ChunkSize: wideChunk})
	return b, start(t, Options{Servers: []string{f.addr}})
}

// wide repeats each byte, because pieces have at least 64.
func wide(text string) string {
	var b strings.Builder
	for i := range len(text) {
		b.WriteString(strings.Repeat(text[i:i+1], wideChunk/10))
	}
	return b.String()
}

const wideChunk = 70

var pieces3 = wide("0123456789abcdefghijKLMNO")

func (b *Backend) mustHold(t *testing.T, key, want string) {
	t.Helper()
	value, ok, err := b.Get(t.Context(), key)
	if string(value) != want || !ok || err != nil {
		t.Errorf("%s = %q, %v, %v; want %q", key, value, ok, err, want)
	}
}

// storePython stores the pieces of a value without flags, as Flask does.
func storePython(t *testing.T, raw *Backend, key, value string) {
	t.Helper()
	for i := 0; len(value) > 0; i++ {
		piece := value[:min(wideChunk, len(value))]
		must(t, raw.Set(t.Context(), pieceKey(key, i), []byte(piece), time.Hour))
		value = value[len(piece):]
	}
}

func TestPieces(t *testing.T) {
	b, raw := startPieces(t)
	ctx := t.Context()
	for _, value := range []string{"", "x", wide("0123456789"), wide("0123456789a"), pieces3} {
		must(t, b.Set(ctx, "go", []byte(value), time.Hour))
		b.mustHold(t, "go", value)
		joined := ""
		for i := range maxPieces { // as Flask joins them
			piece, _, err := raw.Get(ctx, pieceKey("go", i))
			must(t, err)
			joined += string(piece)
		}
		if joined != value {
			t.Errorf("Flask reads %q, want %q", joined, value)
		}
	}
	for _, value := range []string{"x", wide("0123456789"), pieces3} {
		storePython(t, raw, "python", value)
		b.mustHold(t, "python", value)
		if deleted, err := b.Delete(ctx, "python"); !deleted || err != nil {
			t.Errorf("Delete of %q = %v, %v", value, deleted, err)
		}
		for i := range maxPieces {
			if _, ok, _ := raw.Get(ctx, pieceKey("python", i)); ok {
				t.Errorf("Delete of %q leaves piece %d", value, i)
			}
		}
	}
	// What Python leaves of a longer value is not a part of a shorter one.
	storePython(t, raw, "shorter", pieces3)
	storePython(t, raw, "shorter", "short")
	b.mustHold(t, "shorter", "short")
	// Go leaves nothing.
	must(t, b.Set(ctx, "shorter", []byte("less"), time.Hour))
	if _, ok, _ := raw.Get(ctx, "shorter.1"); ok {
		t.Error("a shorter value leaves pieces")
	}
	if err := b.Set(ctx, "long", make([]byte, wideChunk*maxPieces+1), time.Hour); !errors.Is(err, cache.ErrTooLarge) {
		t.Errorf("Set of 33 pieces: %v", err)
	}
}

// A value of which a piece is missing, or belongs to another value, is absent for all.
func TestPiecesOfTwoValues(t *testing.T) {
	for name, damage := range map[string]func(t *testing.T, b, raw *Backend){
		"missing": func(t *testing.T, b, raw *Backend) {
			_, err := raw.Delete(t.Context(), "k.1")
			must(t, err)
		},
		"of another value of Go": func(t *testing.T, b, raw *Backend) {
			must(t, b.Set(t.Context(), "other", []byte(wide("ABCDEFGHIJABCDEFGHIJABCDE")), time.Hour))
			it, err := raw.one(t.Context(), wire.OpGet, wire.Item{Key: "other.1"})
			must(t, err)
			_, err = raw.one(t.Context(), wire.OpSet, wire.Item{Key: "k.1", Value: it.Value, Flags: it.Flags})
			must(t, err)
		},
		"of Python": func(t *testing.T, b, raw *Backend) {
			must(t, raw.Set(t.Context(), "k.2", []byte(wide("KLMNO")), time.Hour))
		},
	} {
		t.Run(name, func(t *testing.T) {
			b, raw := startPieces(t)
			ctx := t.Context()
			must(t, b.Set(ctx, "k", []byte(pieces3), time.Hour))
			damage(t, b, raw)
			if value, ok, err := b.Get(ctx, "k"); ok || err != nil {
				t.Errorf("Get = %q, %v, %v; want a miss", value, ok, err)
			}
			if ok, err := b.Has(ctx, "k"); ok || err != nil {
				t.Errorf("Has = %v, %v; want false", ok, err)
			}
			if added, err := b.Add(ctx, "k", []byte("new"), time.Hour); !added || err != nil {
				t.Errorf("Add = %v, %v; want true", added, err)
			}
			b.mustHold(t, "k", "new")
		})
	}
}

// Flask keeps counters and versions of functions under the key itself.
func TestPlainBesidePieces(t *testing.T) {
	b, raw := startPieces(t)
	ctx := t.Context()
	plain := func(key, value string, flags uint32) {
		_, err := raw.one(ctx, wire.OpSet, wire.Item{Key: key, Value: []byte(value), Flags: flags})
		must(t, err)
	}
	plain("n", "41", flagInt)
	if sum, err := b.Inc(ctx, "n", 1, 0); sum != 42 || err != nil {
		t.Errorf("Inc = %d, %v", sum, err)
	}
	b.mustHold(t, "n", "42")
	if added, err := b.Add(ctx, "n", []byte("x"), 0); added || err != nil {
		t.Errorf("Add = %v, %v; want false", added, err)
	}
	if swapped, err := b.CompareAndSwap(ctx, "n", []byte("42"), []byte("43"), 0); !swapped || err != nil {
		t.Errorf("CompareAndSwap = %v, %v", swapped, err)
	}
	must(t, b.Set(ctx, "n", []byte("x"), 0))
	if _, ok, _ := raw.Get(ctx, "n"); ok {
		t.Error("Set leaves the counter")
	}
	plain("n", "7", flagInt)
	b.mustHold(t, "n", "x") // as Flask's get
	if deleted, err := b.Delete(ctx, "n"); !deleted || err != nil {
		t.Errorf("Delete = %v, %v", deleted, err)
	}
	if ok, err := b.Has(ctx, "n"); ok || err != nil {
		t.Errorf("Has = %v, %v", ok, err)
	}
	// A piece is not an entry.
	must(t, b.Set(ctx, "v", []byte(pieces3), 0))
	if ok, err := b.Has(ctx, "v.1"); ok || err != nil {
		t.Errorf("Has of a piece = %v, %v", ok, err)
	}
	must(t, b.Set(ctx, "v.1", []byte("other"), 0))
	b.mustHold(t, "v", pieces3)
	b.mustHold(t, "v.1", "other")
}

// Set moves an entry that Flask has added from the key itself to its pieces. Readers find it
// all the time.
func TestPlainEntryReplacedMeanwhile(t *testing.T) {
	f := startFake(t, nil)
	o := Options{Servers: []string{f.addr}, Flask: true, Spread: true, ChunkSize: wideChunk}
	b, other := start(t, o), start(t, o)
	f.store("k", entry{value: "7", flags: flagInt})
	asked := 0
	f.answers(func(_ int, command string) string {
		if !strings.HasSuffix(command, " v f t c k") { // not a command of GetWithTTL
			return ""
		}
		if asked++; asked == 2 {
			if err := other.Set(t.Context(), "k", []byte("new"), time.Hour); err != nil {
				t.Error(err)
			}
		}
		return ""
	})
	if value, _, ok, err := b.GetWithTTL(t.Context(), "k"); string(value) != "new" || !ok || err != nil {
		t.Errorf("%q, %v, %v; want the new value", value, ok, err)
	}
}

// The pieces of an entry have the prefix only if its key has it.
func TestClearPrefixOfPieces(t *testing.T) {
	b, raw := startPieces(t)
	ctx := t.Context()
	for _, key := range []string{"a", "a.x", "a.1", "b"} {
		must(t, b.Set(ctx, key, []byte(pieces3), 0))
	}
	if _, err := b.Inc(ctx, "a.n", 1, 0); err != nil {
		t.Fatal(err)
	}
	for _, plain := range []string{"a.plain", "a.7"} { // as Flask's inc; flags tell the second from a piece
		_, err := raw.one(ctx, wire.OpSet, wire.Item{Key: plain, Value: []byte("1"), Flags: flagInt})
		must(t, err)
	}
	must(t, b.ClearPrefix(ctx, "a."))
	b.mustHold(t, "a", pieces3)
	b.mustHold(t, "b", pieces3)
	mustList(t, raw, "a.0", "a.1", "a.2", "b.0", "b.1", "b.2")
	must(t, b.ClearPrefix(ctx, "a"))
	mustList(t, raw, "b.0", "b.1", "b.2")
}

// A counter is a pickle of an integer, and keeps its expiry without asking for it.
func TestCounterInPieces(t *testing.T) {
	b, raw := startPieces(t)
	ctx := t.Context()
	if sum, err := b.Inc(ctx, "n", 5, time.Hour); sum != 5 || err != nil {
		t.Errorf("Inc = %d, %v", sum, err)
	}
	first, _, err := raw.Get(ctx, "n.0")
	must(t, err)
	text, date, ok := cutInteger(first)
	if string(text) != "5" || !ok || time.Until(time.Unix(date, 0)) < 59*time.Minute {
		t.Errorf("stored %q: %q, %d, %v", first, text, date, ok)
	}
	if sum, err := b.Inc(ctx, "n", 7, 0); sum != 12 || err != nil {
		t.Errorf("Inc = %d, %v", sum, err)
	}
	again, _, err := raw.Get(ctx, "n.0")
	must(t, err)
	if text, same, _ := cutInteger(again); string(text) != "12" || same != date {
		t.Errorf("stored %q: %q, expiry %d, want %d", again, text, same, date)
	}
	b.mustHold(t, "n", "12")
}

// mustList fails the test unless the server has exactly these keys, which are sorted.
func mustList(t *testing.T, raw *Backend, want ...string) {
	t.Helper()
	var got []string
	for e, err := range raw.Scan(t.Context(), "") {
		must(t, err)
		got = append(got, e.Key)
	}
	if slices.Sort(got); !slices.Equal(got, want) {
		t.Errorf("the server has %q, want %q", got, want)
	}
}
