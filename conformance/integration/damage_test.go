package integration

import (
	"crypto/md5"
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"cloud.google.com/go/storage"
	cache "github.com/cachebackends/cachebackends/core"
	goredis "github.com/redis/go-redis/v9"
	"google.golang.org/api/option"
)

// places remembers where a harness has opened each backend, for Stores.Damage.
type places[P any] struct{ byBackend sync.Map }

func (p *places[P]) put(b cache.Backend, place P) cache.Backend {
	p.byBackend.Store(b, place)
	return b
}

func (p *places[P]) of(b cache.Backend) P {
	place, _ := p.byBackend.Load(b)
	return place.(P)
}

// damageFile overwrites the file of key in a directory of package filesystem, in its own
// layout or in that of Flask.
func damageFile(t *testing.T, dir, key string) {
	t.Helper()
	own, errOwn := filepath.Glob(filepath.Join(dir, "*", fmt.Sprintf("%x.cache", sha256.Sum256([]byte(key)))))
	flask, errFlask := filepath.Glob(filepath.Join(dir, fmt.Sprintf("%x", md5.Sum([]byte(key)))))
	files := append(own, flask...)
	if errOwn != nil || errFlask != nil || len(files) != 1 {
		t.Fatalf("the files of %q: %q, %v, %v", key, files, errOwn, errFlask)
	}
	if err := os.WriteFile(files[0], []byte("?"), 0o600); err != nil {
		t.Fatal(err)
	}
}

// damageRedis stores another type under key.
func damageRedis(t *testing.T, addr string, database int, key string) {
	t.Helper()
	admin := goredis.NewClient(&goredis.Options{Addr: addr, DB: database})
	defer admin.Close()
	if err := admin.Del(t.Context(), key).Err(); err != nil {
		t.Fatal(err)
	}
	if err := admin.RPush(t.Context(), key, "junk").Err(); err != nil {
		t.Fatal(err)
	}
}

// damageGCS makes the expiry time of the object of key unreadable.
func damageGCS(t *testing.T, endpoint, bucket, key string) {
	t.Helper()
	client, err := storage.NewClient(t.Context(), option.WithEndpoint(endpoint+"/storage/v1/"), option.WithoutAuthentication())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	w := client.Bucket(bucket).Object(key).NewWriter(t.Context())
	w.ChunkSize, w.Metadata = 0, map[string]string{"cache-expires": "soon"}
	if _, err := w.Write([]byte("7")); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
}
