package gcs

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cachebackends/cachebackends/core/driver"
)

// asServiceAccount writes credentials whose tokens come from tokenURL to a file that the
// client library finds.
func asServiceAccount(t *testing.T, tokenURL string) {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(map[string]string{
		"type": "service_account", "client_email": "app@project.test", "private_key_id": "1", "token_uri": tokenURL,
		"private_key": string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})),
	})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "credentials.json")
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("GOOGLE_APPLICATION_CREDENTIALS", path)
}

// Every request carries the token. If the token is denied, the error is ErrAuth: nothing is
// sent or retried, and the error shows no secret.
func TestCredentials(t *testing.T) {
	const secret = "hunter2"
	f := startFake(t)
	var refuses atomic.Int32 // with that code
	tokens := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if code := refuses.Load(); code != 0 {
			w.WriteHeader(int(code))
			io.WriteString(w, `{"error": "invalid_grant", "error_description": "account not found"}`)
			return
		}
		io.WriteString(w, `{"access_token": "`+secret+`", "token_type": "Bearer", "expires_in": 3600}`)
	}))
	defer tokens.Close()
	asServiceAccount(t, tokens.URL)
	open := func() *Backend {
		b, err := New(t.Context(), Options{Bucket: "b", Endpoint: f.url, AllowFlush: true})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { b.Close() })
		return b
	}
	f.answer = func(_ int, r *http.Request) string {
		if r.Header.Get("Authorization") != "Bearer "+secret {
			return "401"
		}
		return usual
	}
	b := open()
	for _, v := range verbs {
		if err := v.call(t.Context(), b, v.key); err != nil {
			t.Errorf("%s: %v", v.name, err)
		}
	}
	f.log()
	for code, want := range map[int32]error{http.StatusBadRequest: driver.ErrAuth, http.StatusInternalServerError: driver.ErrUnavailable} {
		refuses.Store(code)
		b = open()
		for _, v := range verbs {
			begin := time.Now()
			err := v.call(t.Context(), b, v.key)
			if !errors.Is(err, want) || errors.Is(err, driver.ErrUnknownOutcome) || !strings.Contains(err.Error(), "account not found") {
				t.Errorf("%s: %v; want %v", v.name, err, want)
			}
			if took := time.Since(begin); took > 2*time.Second {
				t.Errorf("%s took %v", v.name, took)
			}
		}
	}
	if requests := f.log(); len(requests) > 0 {
		t.Errorf("requests without a token: %q", requests)
	}
}
