package gcs

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"io"
	"maps"
	"mime"
	"mime/multipart"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// fake serves a bucket "b". It honours conditions as the service does. A test can replace
// its responses.
type fake struct {
	url      string
	listener net.Listener

	mu       sync.Mutex
	objects  map[string]*stored
	last     int64    // generation
	requests []string // method, path and query
	answer   func(n int, r *http.Request) string
	counts   map[string]int // of requests by what, for answer
	noMeta   bool           // reads of bytes return no metadata, as with JSON
}

type stored struct {
	Name        string            `json:"name"`
	Generation  int64             `json:"generation,string"`
	ContentType string            `json:"contentType"`
	CustomTime  string            `json:"customTime,omitempty"`
	Metadata    map[string]string `json:"metadata,omitempty"`
	Crc32c      string            `json:"crc32c"`
	Size        int               `json:"size,string"`
	content     []byte
}

// Responses that a test can ask for. Further ones are a status such as "503", "403 reason",
// and "executed 503" for a status after the request was executed.
const (
	usual   = ""
	silence = "silence" // the connection stays open
	hangUp  = "hang up"
	lost    = "lost" // hang up after the request was executed
	cut     = "cut"  // half of the response, then hang up
)

// Responses that are not the service's, by name.
var foreignAnswers = map[string]func(w http.ResponseWriter){
	"page": func(w http.ResponseWriter) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		io.WriteString(w, "<!doctype html><title>Welcome to our wifi</title>")
	},
	"text": func(w http.ResponseWriter) { io.WriteString(w, "welcome") },
	"json": func(w http.ResponseWriter) {
		w.Header().Set("Content-Type", "application/json")
		io.WriteString(w, "{}")
	},
	"empty": func(w http.ResponseWriter) { w.WriteHeader(http.StatusNoContent) },
	"page not found": func(w http.ResponseWriter) {
		w.Header().Set("Content-Type", "text/html")
		w.WriteHeader(http.StatusNotFound)
		io.WriteString(w, "<html>no such page</html>")
	},
	"page of no condition": func(w http.ResponseWriter) {
		w.Header().Set("Content-Type", "text/html")
		w.WriteHeader(http.StatusPreconditionFailed)
	},
}

func startFake(t *testing.T) *fake {
	t.Helper()
	f := &fake{objects: map[string]*stored{}, counts: map[string]int{}}
	server := httptest.NewServer(http.HandlerFunc(f.serve))
	t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
	})
	f.url, f.listener = server.URL, server.Listener
	return f
}

// on replaces the responses to one kind of request: "read", "write", "attributes",
// "delete" or "list". n counts them from 1.
func (f *fake) on(what string, answer func(n int) string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.answer = func(n int, r *http.Request) string {
		if kindOf(r) == what {
			return answer(n)
		}
		return usual
	}
	f.counts = map[string]int{}
}

func always(answer string) func(int) string { return func(int) string { return answer } }

func first(answer string) func(int) string {
	return func(n int) string {
		if n == 1 {
			return answer
		}
		return usual
	}
}

func (f *fake) count(what string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.counts[what]
}

// log returns the requests since the last call.
func (f *fake) log() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	requests := f.requests
	f.requests = nil
	return requests
}

func (f *fake) get(name string) *stored {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.objects[name]
}

// put stores an object as another program would.
func (f *fake) put(name string, content string, metadata map[string]string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.last++
	f.objects[name] = newObject(stored{Name: name, Generation: f.last, Metadata: metadata}, []byte(content))
}

// expire sets the expiry of an object to the past.
func (f *fake) expire(name string) { f.get(name).Metadata[metaExpires] = "1000" }

func newObject(o stored, content []byte) *stored {
	o.content = content
	o.Crc32c = base64.StdEncoding.EncodeToString(binary.BigEndian.AppendUint32(nil, crc32.Checksum(content, castagnoli)))
	return &o
}

func kindOf(r *http.Request) string {
	switch path := r.URL.EscapedPath(); {
	case strings.HasPrefix(path, "/upload/"):
		return "write"
	case strings.HasSuffix(path, "/o"):
		return "list"
	case r.Method == http.MethodDelete:
		return "delete"
	case strings.HasPrefix(path, "/storage/"):
		return "attributes"
	}
	return "read"
}

func (f *fake) serve(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	what := kindOf(r)
	f.counts[what]++
	f.requests = append(f.requests, r.Method+" "+r.URL.String())
	answer := usual
	if f.answer != nil {
		answer = f.answer(f.counts[what], r)
	}
	f.mu.Unlock()
	text, executed := strings.CutPrefix(answer, "executed ")
	text, reason, _ := strings.Cut(text, " ")
	code, _ := strconv.Atoi(text)
	foreign := foreignAnswers[answer]
	if executed {
		f.execute(httptest.NewRecorder(), r)
	}
	switch {
	case foreign != nil:
		io.Copy(io.Discard, r.Body)
		foreign(w)
		return
	case answer == silence:
		io.Copy(io.Discard, r.Body)
		<-r.Context().Done()
		return
	case answer == hangUp:
		panic(http.ErrAbortHandler)
	case code != 0:
		refuse(w, code, reason)
		return
	}
	recorded := httptest.NewRecorder()
	f.execute(recorded, r)
	if answer == lost {
		panic(http.ErrAbortHandler)
	}
	maps.Copy(w.Header(), recorded.Header())
	body := recorded.Body.Bytes()
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(recorded.Code)
	if answer == cut {
		w.Write(body[:len(body)/2])
		http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}
	w.Write(body)
}

func refuse(w http.ResponseWriter, code int, reasons ...string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	fmt.Fprintf(w, `{"error": {"code": %d, "message": "the message of %[1]d", "errors": [{"reason": %q}]}}`, code, strings.Join(reasons, ""))
}

func (f *fake) execute(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	path := strings.TrimPrefix(strings.TrimPrefix(r.URL.EscapedPath(), "/upload"), "/storage/v1/b")
	bucket, rest, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	if bucket != "b" {
		refuse(w, http.StatusNotFound)
		return
	}
	name, _ := url.PathUnescape(strings.TrimPrefix(rest, "o/"))
	switch kindOf(r) {
	case "write":
		f.upload(w, r)
	case "list":
		f.list(w, r)
	default:
		f.one(w, r, name)
	}
}

func (f *fake) one(w http.ResponseWriter, r *http.Request, name string) {
	o := f.objects[name]
	if want := r.URL.Query().Get("generation"); o == nil || want != "" && want != fmt.Sprint(o.Generation) {
		refuse(w, http.StatusNotFound)
		return
	}
	if !holds(r, o.Generation) {
		refuse(w, http.StatusPreconditionFailed)
		return
	}
	switch kindOf(r) {
	case "delete":
		delete(f.objects, name)
		w.WriteHeader(http.StatusNoContent)
	case "attributes":
		json.NewEncoder(w).Encode(o)
	default:
		f.download(w, r, o)
	}
}

func (f *fake) download(w http.ResponseWriter, r *http.Request, o *stored) {
	w.Header().Set("X-Goog-Generation", fmt.Sprint(o.Generation))
	if o.Crc32c != "" {
		w.Header().Set("X-Goog-Hash", "crc32c="+o.Crc32c+",md5=of-no-use")
	}
	w.Header().Set("Content-Type", o.ContentType)
	for name, value := range o.Metadata {
		if !f.noMeta {
			w.Header().Set("X-Goog-Meta-"+name, value)
		}
	}
	content := o.content
	var from int
	if n, _ := fmt.Sscanf(r.Header.Get("Range"), "bytes=%d-", &from); n == 1 {
		w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", from, len(content)-1, len(content)))
		w.WriteHeader(http.StatusPartialContent)
		content = content[from:]
	}
	w.Write(content)
}

// holds reports whether the condition of a request holds; the generation of what
// is absent is 0.
func holds(r *http.Request, generation int64) bool {
	want := r.URL.Query().Get("ifGenerationMatch")
	return want == "" || want == fmt.Sprint(generation)
}

func (f *fake) upload(w http.ResponseWriter, r *http.Request) {
	name := r.URL.Query().Get("name")
	_, params, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	parts := multipart.NewReader(r.Body, params["boundary"])
	var o stored
	part, err := parts.NextPart()
	if err == nil {
		err = json.NewDecoder(part).Decode(&o)
	}
	if err == nil {
		part, err = parts.NextPart()
	}
	var content []byte
	if err == nil {
		content, err = io.ReadAll(part)
	}
	var generation int64
	if old := f.objects[name]; old != nil {
		generation = old.Generation
	}
	switch {
	case err != nil || checkName(name) != nil:
		refuse(w, http.StatusBadRequest)
	case !holds(r, generation):
		refuse(w, http.StatusPreconditionFailed)
	default:
		f.last++
		o.Generation, o.Name = f.last, name
		f.objects[name] = newObject(o, content)
		json.NewEncoder(w).Encode(f.objects[name])
	}
}

func (f *fake) list(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	size, _ := strconv.Atoi(query.Get("maxResults"))
	var page struct {
		Kind  string    `json:"kind,omitempty"`
		Items []*stored `json:"items"`
		Next  string    `json:"nextPageToken,omitempty"`
	}
	if strings.HasPrefix(query.Get("fields"), "kind,") {
		page.Kind = "storage#objects"
	}
	for _, name := range slices.Sorted(maps.Keys(f.objects)) {
		if !strings.HasPrefix(name, query.Get("prefix")) || name <= query.Get("pageToken") {
			continue
		}
		if len(page.Items) == size {
			page.Next = page.Items[size-1].Name
			break
		}
		page.Items = append(page.Items, f.objects[name].selected(query.Get("fields")))
	}
	json.NewEncoder(w).Encode(page)
}

// selected returns o as a list shows it that asks for these fields.
func (o *stored) selected(fields string) *stored {
	shown := &stored{Name: o.Name}
	if strings.Contains(fields, "generation") {
		shown.Generation = o.Generation
	}
	if strings.Contains(fields, "metadata") {
		shown.Metadata = o.Metadata
	}
	if strings.Contains(fields, "customTime") {
		shown.CustomTime = o.CustomTime
	}
	if strings.Contains(fields, "size") {
		shown.Size = len(o.content)
	}
	return shown
}

// start returns a backend on the fake, which is closed at the end of the test.
func start(t *testing.T, f *fake, o Options) *Backend {
	t.Helper()
	o.Bucket, o.Endpoint, o.Anonymous = "b", f.url, true
	b, err := New(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	return b
}

// soon returns a context with a deadline in d.
func soon(t *testing.T, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

// ample is more time than anything takes on a busy machine.
const ample = 20 * time.Second

// withMoreTime calls try with a short limit, and with longer ones while it fails: a busy
// machine may need more time.
func withMoreTime(t *testing.T, try func(limit time.Duration) error) {
	t.Helper()
	var err error
	for limit := 100 * time.Millisecond; limit < ample/4; limit *= 4 {
		if err = try(limit); err == nil {
			return
		}
	}
	t.Error(err)
}
