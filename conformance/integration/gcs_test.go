package integration

import (
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"

	"cloud.google.com/go/storage"
	"github.com/cachebackends/cachebackends/conformance"
	cache "github.com/cachebackends/cachebackends/core"
	_ "github.com/cachebackends/cachebackends/flask"
	"github.com/cachebackends/cachebackends/gcs"
	"google.golang.org/api/option"
)

const unboundedGCS = "a bucket has no limit; lifecycle rules remove expired objects"

var traitsOfGCS = map[conformance.Trait]string{
	conformance.ReadsBeforeDelete: "the service keeps expired objects and reports them as deleted",
}

// refusedByGCS are names that the service refuses and the fake accepts.
var refusedByGCS = []string{"a\rb", "a\nb", "\xff", strings.Repeat("x", 1025)}

// gcsOver is the harness of a gcs at endpoint, in one bucket for all cases.
func gcsOver(endpoint, bucket string) conformance.Harness {
	h := over(gcsSettings(endpoint, bucket))
	h.Limits.MaxKey, h.Limits.RefusedKeys = 1024, refusedByGCS
	h.Traits = traitsOfGCS
	h.Unsupported = map[conformance.Feature]string{
		conformance.Threshold: unboundedGCS,
	}
	return h
}

func gcsSettings(endpoint, bucket string) map[string]any {
	return map[string]any{"CACHE_TYPE": "gcs", "CACHE_GCS_BUCKET": bucket, "CACHE_GCS_ENDPOINT": endpoint, "CACHE_GCS_ANONYMOUS": true}
}

func TestGCS(t *testing.T) {
	busy(t)
	endpoint, newBucket := startGCS(t)
	open := func(t *testing.T, bucket, endpoint string, allowFlush bool) *gcs.Backend {
		newBucket(bucket)
		b, err := gcs.New(t.Context(), gcs.Options{Bucket: bucket, Endpoint: endpoint, Anonymous: true, AllowFlush: allowFlush})
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	var buckets places[string]
	h := apart(gcsOver(endpoint, ""), func(t *testing.T, n int) cache.Backend {
		bucket := fmt.Sprint("bucket", n)
		return buckets.put(open(t, bucket, endpoint, true), bucket)
	})
	h.Stores.Damage = func(t *testing.T, b cache.Backend, key string) { damageGCS(t, endpoint, buckets.of(b), key) }
	h.Faults = &conformance.Faults{
		Addr: strings.TrimPrefix(endpoint, "http://"),
		New: func(t *testing.T, addr string) (cache.Backend, error) {
			return open(t, "proxied", "http://"+addr, false), nil
		},
	}
	h.Stores.ClearForbidden = func(t *testing.T) cache.Backend { return open(t, "guarded", endpoint, false) }
	h.Slow = true // the fake needs milliseconds for a call
	h.Server, h.ServerVersion = fakeGCS(t)
	conformance.Run(t, h)
}

// Flask-Caching stores JSON.
func TestGCSFlask(t *testing.T) {
	variant(t)
	endpoint, newBucket := startGCS(t)
	settings := gcsSettings(endpoint, "")
	settings["CACHE_FLASK"] = true
	h := over(settings)
	h.Name, h.Slow = "gcs-flask", true
	h.Limits.MaxKey, h.Limits.RefusedKeys = 1024, refusedByGCS
	h.Traits = traitsOfGCS
	h.Unsupported = map[conformance.Feature]string{
		conformance.Threshold: unboundedGCS,
		conformance.Network:   "TestGCS tests network faults",
	}
	h.Server, h.ServerVersion = fakeGCS(t)
	h = apart(h, func(t *testing.T, n int) cache.Backend {
		bucket := fmt.Sprint("flask", n)
		newBucket(bucket)
		b, err := gcs.New(t.Context(), gcs.Options{Bucket: bucket, Endpoint: endpoint, Anonymous: true, AllowFlush: true, Flask: true})
		if err != nil {
			t.Fatal(err)
		}
		return b
	})
	conformance.Run(t, h)
}

func fakeGCS(t *testing.T) (name, version string) {
	return "fake-gcs-server", moduleVersion(t, "github.com/fsouza/fake-gcs-server")
}

// TestGCSBorrowed runs over a client of the application.
func TestGCSBorrowed(t *testing.T) {
	variant(t)
	fake := newSpread(t)
	client, err := storage.NewClient(t.Context(), option.WithEndpoint("http://127.0.0.1/storage/v1/"),
		option.WithHTTPClient(&http.Client{Transport: fake}))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	h := conformance.Harness{Name: "gcs-borrowed", Limits: conformance.Limits{MaxKey: 1024, RefusedKeys: refusedByGCS}}
	h.Traits = traitsOfGCS
	h.Unsupported = map[conformance.Feature]string{
		conformance.Threshold: unboundedGCS,
		conformance.Network:   "the HTTP client belongs to the application",
	}
	h.Server, h.ServerVersion = fakeGCS(t)
	h = apart(h, func(t *testing.T, n int) cache.Backend {
		bucket := fmt.Sprint("bucket", n)
		fake.newBucket(t, bucket)
		b, err := gcs.NewFromClient(client, gcs.Options{Bucket: bucket, AllowFlush: true})
		if err != nil {
			t.Fatal(err)
		}
		return b
	})
	h.Slow = true
	conformance.Run(t, h)
}

// TestGCSServer runs over the fake in a process of its own, which takes three times the
// processor time of TestGCS and finds the same.
func TestGCSServer(t *testing.T) {
	if os.Getenv("CACHE_TEST_GCS_SERVER") == "" && os.Getenv("CACHE_TEST_GCS_IMAGE") == "" {
		t.Skip("TestGCS runs the same cases over the same fake in this process; CACHE_TEST_GCS_SERVER=1 runs this test too")
	}
	variant(t)
	endpoint, newBucket := startGCSServer(t)
	newBucket("suite")
	newBucket("spare")
	h := emptied(gcsOver(endpoint, "suite"), gcsSettings(endpoint, "spare"))
	h.Name, h.NoReport = "gcs-server", true
	h.Unsupported[conformance.Network] = "faults of the network are tested with the fake in this process"
	h.Slow = true
	conformance.Run(t, h)
}

// TestGCSService needs a real bucket, which costs money. It is skipped if none is named.
func TestGCSService(t *testing.T) {
	busy(t)
	bucket := os.Getenv("CACHE_TEST_GCS_BUCKET")
	if bucket == "" {
		t.Skip("CACHE_TEST_GCS_BUCKET names no bucket; Google's client finds the credentials")
	}
	h := over(map[string]any{"CACHE_TYPE": "gcs", "CACHE_GCS_BUCKET": bucket})
	h.Name, h.Limits.MaxKey, h.Limits.RefusedKeys, h.Slow = "gcs-service", 1024, refusedByGCS, true
	h.Traits = traitsOfGCS
	h.Unsupported = map[conformance.Feature]string{
		conformance.Threshold: unboundedGCS,
		conformance.Network:   "the tests do not break connections to the real service",
	}
	conformance.Run(t, h)
}
