package integration

import (
	"bytes"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"io"
	"log"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cachebackends/cachebackends/conformance/integration/servers"
	"github.com/fsouza/fake-gcs-server/fakestorage"
)

// startGCS serves a fake of the service in this process. It returns its URL and a function
// that makes buckets.
func startGCS(t *testing.T) (endpoint string, newBucket func(name string)) {
	t.Helper()
	return newSpread(t).serve(t)
}

// newSpread returns a fake in this process that does not listen yet.
func newSpread(t *testing.T) *spread {
	t.Helper()
	fake, err := fakestorage.NewServerWithOptions(fakestorage.Options{NoListener: true, PublicHost: "127.0.0.1"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(fake.Stop)
	return &spread{fake: fake.HTTPHandler(), buckets: map[string]*spreadBucket{}}
}

// startGCSServer runs the same fake as a server of its own: the container image that
// CACHE_TEST_GCS_IMAGE names or, without one, the program built from its module.
func startGCSServer(t *testing.T) (endpoint string, newBucket func(name string)) {
	t.Helper()
	port := servers.FreePorts(t, 1)[0]
	args := fmt.Sprintf("-scheme http -host 127.0.0.1 -public-host 127.0.0.1 -backend memory -log-level error -port %d", port)
	command := "docker run --rm --network host " + os.Getenv("CACHE_TEST_GCS_IMAGE") + " " + args
	if os.Getenv("CACHE_TEST_GCS_IMAGE") == "" {
		program := filepath.Join(t.TempDir(), "fake-gcs-server")
		if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", program, "github.com/fsouza/fake-gcs-server").CombinedOutput(); err != nil {
			t.Fatalf("building the server: %v\n%s", err, out)
		}
		command = program + " " + args
	}
	// The server ends with its input, which this process holds open.
	server := exec.Command("sh", "-c", command+" >&2 & cat; kill $!; wait")
	var printed bytes.Buffer
	server.Stderr = &printed
	input, err := server.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		input.Close()
		server.Wait()
		if t.Failed() {
			t.Logf("the server printed:\n%s", &printed)
		}
	})
	address := fmt.Sprintf("127.0.0.1:%d", port)
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		if res, err := http.Get("http://" + address + "/_internal/healthcheck"); err == nil {
			res.Body.Close()
			break
		}
		if time.Now().After(end) {
			t.Fatal("the server does not answer")
		}
	}
	forward := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: address})
	forward.Transport = &http.Transport{MaxIdleConnsPerHost: 100} // or most requests would have a connection of their own
	forward.ErrorLog = silent
	s := &spread{fake: forward, buckets: map[string]*spreadBucket{}}
	return s.serve(t)
}

// silent drops the messages about clients that left, of which the suite has many.
var silent = log.New(io.Discard, "", 0)

// spread serves each bucket from several buckets of the fake. The fake compares an object
// with all others of its bucket, which takes milliseconds if there are 10,000.
type spread struct {
	fake    http.Handler
	mu      sync.Mutex
	buckets map[string]*spreadBucket
}

// spreadBucket remembers the names that were stored in a bucket, so that only their shards
// are made and listed.
type spreadBucket struct {
	names map[string]bool
	open  [shards]bool
}

// serve listens. It returns the URL and a function that makes buckets.
func (s *spread) serve(t *testing.T) (endpoint string, newBucket func(name string)) {
	server := httptest.NewUnstartedServer(s)
	server.Config.ErrorLog = silent
	server.Start()
	t.Cleanup(server.Close)
	return server.URL, func(name string) { s.newBucket(t, name) }
}

// RoundTrip is a client's transport to the fake, without a network.
func (s *spread) RoundTrip(r *http.Request) (*http.Response, error) {
	var body []byte
	if r.Body != nil {
		defer r.Body.Close()
		var err error
		if body, err = io.ReadAll(r.Body); err != nil { // cancelled, and not for the fake to see half of
			return nil, err
		}
	}
	asked := r.Clone(r.Context())
	asked.Host, asked.Body = r.URL.Host, io.NopCloser(bytes.NewReader(body))
	answer := httptest.NewRecorder()
	s.ServeHTTP(answer, asked)
	return answer.Result(), nil
}

func (s *spread) newBucket(t *testing.T, name string) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.buckets[name] != nil {
		return // opened once more
	}
	s.buckets[name] = &spreadBucket{names: map[string]bool{}}
	if err := s.open(name, 0); err != nil {
		t.Fatal(err)
	}
}

const shards = 256

func shardOf(name string) int {
	hash := fnv.New32a()
	io.WriteString(hash, name)
	return int(hash.Sum32() % shards)
}

// open makes the fake's bucket of a shard, with mu held.
func (s *spread) open(bucket string, shard int) error {
	b := s.buckets[bucket]
	if b == nil || b.open[shard] {
		return nil
	}
	b.open[shard] = true
	body := strings.NewReader(fmt.Sprintf(`{"name": "%s-%d"}`, bucket, shard))
	made := httptest.NewRecorder()
	s.fake.ServeHTTP(made, httptest.NewRequest(http.MethodPost, "/storage/v1/b?project=p", body))
	if made.Code != http.StatusOK {
		return fmt.Errorf("making a bucket: %d %s", made.Code, made.Body)
	}
	return nil
}

// Prefixes of the paths of the JSON API. Other paths are those of the XML API: a bucket and
// an object. Names in paths are escaped and have no slash.
const (
	uploadPath = "/upload/storage/v1/b/"
	bucketPath = "/storage/v1/b/"
)

func (s *spread) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path := r.URL.EscapedPath()
	switch {
	case strings.HasPrefix(path, uploadPath):
		bucket, _, _ := strings.Cut(path[len(uploadPath):], "/")
		if err := s.note(bucket, r.URL.Query().Get("name")); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		path = fmt.Sprintf("%s%s-%d/o", uploadPath, bucket, shardOf(r.URL.Query().Get("name")))
	case strings.HasPrefix(path, bucketPath) && strings.HasSuffix(path, "/o"):
		s.list(w, r, strings.TrimSuffix(path[len(bucketPath):], "/o"))
		return
	case strings.HasPrefix(path, bucketPath):
		path = shardPath(bucketPath, path)
	default:
		path = shardPath("/", path)
	}
	if query := r.URL.Query(); r.Method == http.MethodDelete && query.Has("ifGenerationMatch") {
		// The fake ignores the condition. It removes a given generation only if that is the
		// present one, and responds with 404 instead of 412.
		query.Set("generation", query.Get("ifGenerationMatch"))
		r.URL.RawQuery = query.Encode()
	}
	r.URL.Path, _ = url.PathUnescape(path)
	r.URL.RawPath = path
	s.fake.ServeHTTP(w, r)
}

// shardPath replaces the bucket in the path of an object.
func shardPath(beginning, path string) string {
	bucket, rest, _ := strings.Cut(strings.TrimPrefix(path, beginning), "/")
	name, _ := url.PathUnescape(rest[strings.LastIndex(rest, "/")+1:])
	return fmt.Sprintf("%s%s-%d/%s", beginning, bucket, shardOf(name), rest)
}

// note remembers a name before it is stored.
func (s *spread) note(bucket, name string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if b := s.buckets[bucket]; b != nil {
		b.names[name] = true
	}
	return s.open(bucket, shardOf(name))
}

// shardsOf returns the shards that may have names that begin with prefix, and the first.
func (s *spread) shardsOf(bucket, prefix string) []int {
	s.mu.Lock()
	defer s.mu.Unlock()
	found := map[int]bool{0: true}
	if b := s.buckets[bucket]; b != nil {
		for name := range b.names {
			if strings.HasPrefix(name, prefix) {
				found[shardOf(name)] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(found))
}

// list lists the shards in turn until a page is full.
func (s *spread) list(w http.ResponseWriter, r *http.Request, bucket string) {
	query := r.URL.Query()
	room, _ := strconv.Atoi(query.Get("maxResults"))
	first, token, _ := strings.Cut(query.Get("pageToken"), "|")
	from, _ := strconv.Atoi(first)
	type page struct {
		Kind  string            `json:"kind"`
		Items []json.RawMessage `json:"items"`
		Next  string            `json:"nextPageToken,omitempty"`
	}
	all := page{Kind: "storage#objects"}
	for _, shard := range s.shardsOf(bucket, query.Get("prefix")) {
		switch {
		case shard < from:
			continue
		case shard > from:
			token = ""
		}
		if room == len(all.Items) && room > 0 {
			all.Next = fmt.Sprintf("%d|", shard)
			break
		}
		query.Set("pageToken", token)
		query.Set("maxResults", strconv.Itoa(max(room-len(all.Items), 0)))
		asked := httptest.NewRequestWithContext(r.Context(), http.MethodGet, fmt.Sprintf("%s%s-%d/o?%s", bucketPath, bucket, shard, query.Encode()), nil)
		answer := httptest.NewRecorder()
		s.fake.ServeHTTP(answer, asked)
		var part page
		if answer.Code != http.StatusOK || json.Unmarshal(answer.Body.Bytes(), &part) != nil {
			w.WriteHeader(answer.Code)
			w.Write(answer.Body.Bytes())
			return
		}
		all.Items = append(all.Items, part.Items...)
		if part.Next != "" {
			all.Next = fmt.Sprintf("%d|%s", shard, part.Next)
			break
		}
	}
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(all)
}
