package cache

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/cachebackends/cachebackends/core/driver"
)

// decodedKeeper is a store of bytes that keeps decoded values.
type decodedKeeper struct {
	driver.Backend
	data map[string][]byte
	kept map[string]any
	gets int // of bytes
}

func (d *decodedKeeper) Get(_ context.Context, key string) ([]byte, bool, error) {
	d.gets++
	data, ok := d.data[key]
	return data, ok, nil
}

func (d *decodedKeeper) Set(_ context.Context, key string, value []byte, _ time.Duration) error {
	delete(d.kept, key)
	d.data[key] = value
	return nil
}

func (d *decodedKeeper) GetValue(_ context.Context, key string) (any, bool, error) {
	value, ok := d.kept[key]
	if !ok {
		return nil, false, errors.ErrUnsupported
	}
	return value, true, nil
}

func (d *decodedKeeper) SetValue(context.Context, string, any, time.Duration) error {
	return errors.ErrUnsupported
}

func (d *decodedKeeper) AddValue(context.Context, string, any, time.Duration) (bool, error) {
	return false, errors.ErrUnsupported
}

func (d *decodedKeeper) KeepDecoded(key string, data []byte, value any) {
	if stored := d.data[key]; len(data) > 0 && &stored[0] == &data[0] {
		d.kept[key] = value
	}
}

// A view WithoutEncoding offers what it has decoded, under the full key and with the
// memory that the backend returned, also through a wrapper. A view that encodes offers
// nothing, and neither does one that cannot decode.
func TestDecodedKeeper(t *testing.T) {
	type user struct{ Name string }
	ctx := t.Context()
	for name, wrap := range map[string]func(driver.Backend) driver.Backend{
		"itself":  func(b driver.Backend) driver.Backend { return b },
		"wrapped": func(b driver.Backend) driver.Backend { return driver.Resolve(b) },
	} {
		t.Run(name, func(t *testing.T) {
			d := &decodedKeeper{data: map[string][]byte{"p:junk": []byte("{"), "p:a": []byte(`{"Name":"Ann"}`), "p:b": []byte(`{"Name":"Bob"}`)}, kept: map[string]any{}}
			c := New(wrap(d), WithPrefix("p:"))
			encoded, users := Of[*user](c), Of[*user](c, WithoutEncoding())
			for _, key := range []string{"junk", "a"} {
				_, _, _ = encoded.Get(ctx, key)
			}
			_, _, err := users.Get(ctx, "junk")
			if len(d.kept) != 0 || !errors.Is(err, ErrCorrupt) {
				t.Fatalf("kept %v after reads that encode, and %v", d.kept, err)
			}
			a, _, err := users.Get(ctx, "a")
			if err != nil || d.kept["p:a"] != any(a) {
				t.Fatalf("Get: %v, kept %v; want the value under its full key", err, d.kept)
			}
			results, err := users.GetMany(ctx, "a", "b")
			if err != nil || results[0].Value != a || d.kept["p:b"] != any(results[1].Value) {
				t.Fatalf("GetMany: %v, %v, kept %v", results, err, d.kept)
			}
			gets := d.gets
			again, err := users.GetOrSet(ctx, "b", func(context.Context) (*user, error) { panic("loaded") })
			if again != results[1].Value || err != nil || d.gets != gets {
				t.Errorf("GetOrSet: %v, %v after %d reads of bytes; want the kept value", again, err, d.gets-gets)
			}
			if err := users.Set(ctx, "b", &user{"Cay"}); err != nil || string(d.data["p:b"]) != `{"Name":"Cay"}` {
				t.Errorf("Set: %v, stored %s", err, d.data["p:b"])
			}
			if u, _, err := users.Get(ctx, "b"); err != nil || u.Name != "Cay" {
				t.Errorf("Get after Set: %v, %v", u, err)
			}
		})
	}
}
