package memcached

import "testing"

func FuzzIndex(f *testing.F) {
	o, err := Options{Spread: true, ChunkSize: 100}.complete()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(newIndex(largeValue(450), 100).encode())
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		x, err := decodeIndex(b, o)
		if err != nil {
			return
		}
		if x.size > o.spreadLimit() || x.count() > maxChunks || string(x.encode()) != string(b) {
			t.Errorf("%x is decoded as %+v", b, x)
		}
	})
}
