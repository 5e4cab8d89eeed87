package filesystem

import (
	"bytes"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/cachebackends/cachebackends/core/driver"
)

// The value is appended whatever the capacity of dst, which keeps what it holds.
func TestGetAppend(t *testing.T) {
	b, ctx := openAt(t, Options{Dir: t.TempDir()}), t.Context()
	for _, keyLen := range []int{1, readBufferSize - headerSize, readBufferSize} {
		for _, size := range []int{0, 1, 1000, readBufferSize - headerSize - 1, readBufferSize, 3 * readBufferSize} {
			key, want := string(pattern('k', keyLen)), pattern('v', size)
			mustSet(t, b, key, string(want), 0)
			for _, dst := range [][]byte{nil, {}, []byte("dst"), append(make([]byte, 0, 10), "dst"...), append(make([]byte, 0, 500_000), "dst"...)} {
				before := string(dst)
				got, ok, err := b.GetAppend(ctx, key, dst)
				if !ok || err != nil || got == nil || string(got[:len(before)]) != before || !bytes.Equal(got[len(before):], want) {
					t.Fatalf("%d bytes under %d bytes: GetAppend to %q, capacity %d = %d bytes, %v, %v", size, keyLen, before, cap(dst), len(got), ok, err)
				}
				if cap(dst) >= len(got) && cap(dst) > 0 && &got[:1][0] != &dst[:1][0] {
					t.Errorf("%d bytes: the capacity of dst is not used", size)
				}
			}
		}
	}
}

// Without a live and undamaged entry, dst is returned as it was. Rules BAS-15, VAL-12.
func TestGetAppendOfNothing(t *testing.T) {
	b, ctx := openAt(t, Options{Dir: t.TempDir()}), t.Context()
	mustSet(t, b, "expired", "value", time.Nanosecond)
	for key, size := range map[string]int{"damaged": 1000, "damaged, large": 1 << 20} {
		mustSet(t, b, key, string(pattern('v', size)), 0)
		data := readFile(t, fileOf(b, key))
		data[len(data)-1] ^= 1
		writeFile(t, fileOf(b, key), data)
	}
	for _, key := range []string{"absent", "expired", "damaged", "damaged, large"} {
		for _, room := range []int{3, 100, 2 << 20} {
			dst := append(make([]byte, 0, room), "dst"...)
			got, ok, err := b.GetAppend(ctx, key, dst)
			if ok || string(got) != "dst" || err != nil && !errors.Is(err, driver.ErrCorrupt) {
				t.Errorf("GetAppend of a key that is %s = %.20q, %v, %v", key, got, ok, err)
			}
			if damaged := strings.HasPrefix(key, "damaged"); damaged != errors.Is(err, driver.ErrCorrupt) {
				t.Errorf("GetAppend of a key that is %s: %v", key, err)
			}
		}
	}
}

func TestGetWithTTL(t *testing.T) {
	b, ctx := openAt(t, Options{Dir: t.TempDir()}), t.Context()
	mustSet(t, b, "hour", "v", time.Hour)
	mustSet(t, b, "never", "", 0)
	mustSet(t, b, "expired", "v", time.Nanosecond)
	mustSet(t, b, "damaged", "v", time.Hour)
	if err := os.Truncate(fileOf(b, "damaged"), headerSize); err != nil {
		t.Fatal(err)
	}
	leaseOf(t, b, "leased", time.Minute)
	value, ttl, ok, err := b.GetWithTTL(ctx, "hour")
	if string(value) != "v" || !ok || err != nil || ttl > time.Hour || ttl < 50*time.Minute {
		t.Errorf("hour: %q, %v, %v, %v", value, ttl, ok, err)
	}
	if value, ttl, ok, err = b.GetWithTTL(ctx, "never"); value == nil || len(value) > 0 || !ok || err != nil || ttl != 0 {
		t.Errorf("never: %q, %v, %v, %v", value, ttl, ok, err)
	}
	for _, key := range []string{"absent", "expired", "leased", "damaged"} {
		value, ttl, ok, err = b.GetWithTTL(ctx, key)
		if value != nil || ttl != 0 || ok || (err != nil) != (key == "damaged") {
			t.Errorf("%s: %q, %v, %v, %v", key, value, ttl, ok, err)
		}
	}
	values, ttls, err := driver.Resolve(b).GetManyWithTTL(ctx, []string{"absent", "hour", "never"})
	if err != nil || values[0] != nil || string(values[1]) != "v" || values[2] == nil || ttls[1] > time.Hour || ttls[1] <= 0 || ttls[2] != 0 {
		t.Errorf("GetManyWithTTL = %q, %v, %v", values, ttls, err)
	}
}
