package servers

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"
)

// Flask is an application with Flask-Caching.
type Flask struct {
	Machine
	URL string
}

// StartFlask runs program, the text of a module, in which CONFIG is replaced by config. It
// listens on the port in its first argument. dirs are directories that it shares. The
// environment variable FLASK_PYTHON names a Python of this machine to run it, for other
// versions of Flask-Caching.
func StartFlask(t *testing.T, program string, config map[string]any, dirs ...string) *Flask {
	t.Helper()
	ports := FreePorts(t, 1)
	f := &Flask{URL: "http://" + addrs(ports)[0]}
	spec := Spec{
		Needs: []string{python}, Ports: ports, Dirs: dirs, Files: map[string]string{"program.py": WithConfig(t, program, config)},
		Script: fmt.Sprintf("while ! [ -e go ]; do sleep 0.02; done; exec %s program.py %d", python, ports[0]),
	}
	if other := os.Getenv("FLASK_PYTHON"); other != "" {
		f.Machine = startProcess(t, spec, other)
	} else {
		f.Machine = Start(t, spec)
		NeedsFlask(t, f.Machine)
	}
	if _, err := f.Exec(t.Context(), "touch go"); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		answer, err := once.Get(f.URL)
		if err == nil {
			answer.Body.Close()
			return f
		}
		if time.Now().After(end) {
			t.Fatalf("the application does not answer: %v", err)
		}
	}
}

const python = "/usr/bin/python3" // of Debian's packages

// startProcess runs spec on this machine with another Python.
func startProcess(t *testing.T, spec Spec, other string) Machine {
	t.Helper()
	spec.Script = strings.ReplaceAll(spec.Script, python, other)
	m, err := newProcess(spec)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.stop)
	return m
}

// NeedsFlask ends the test if m has not the packages of Python that the tests use.
func NeedsFlask(t *testing.T, m Machine) {
	t.Helper()
	if out, err := m.Exec(t.Context(), python+" -c 'import flask_caching, pylibmc, redis' 2>&1"); err != nil {
		missing(t, fmt.Errorf("python3-flask-caching, python3-pylibmc and python3-redis are needed: %w %s", err, out))
	}
}

// WithConfig returns program with config in place of CONFIG.
func WithConfig(t *testing.T, program string, config map[string]any) string {
	t.Helper()
	text, err := json.Marshal(config)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Replace(program, "'''CONFIG'''", "'''"+string(text)+"'''", 1)
}

// once has a connection for each request: uWSGI closes it without a word.
var once = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}

// Get returns the body of a page.
func (f *Flask) Get(t *testing.T, path string) string {
	t.Helper()
	answer, err := once.Get(f.URL + path)
	return body(t, answer, err)
}

// Call returns the repr of an expression.
func (f *Flask) Call(t *testing.T, expression string, args ...any) string {
	t.Helper()
	answer, err := once.Post(f.URL+"/call", "text/plain", strings.NewReader(fmt.Sprintf(expression, args...)))
	return body(t, answer, err)
}

func body(t *testing.T, answer *http.Response, err error) string {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != http.StatusOK {
		t.Fatalf("%s: %v\n%s", answer.Status, err, text)
	}
	return string(text)
}
