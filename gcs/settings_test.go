package gcs

import (
	"errors"
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/storage"
	cache "github.com/cachebackends/cachebackends/core"
	"google.golang.org/api/option"
)

func TestSettings(t *testing.T) {
	c, err := cache.Open(t.Context(), cache.FromMap(map[string]any{
		"CACHE_TYPE": "GoogleCloudStorageCache", "CACHE_GCS_BUCKET": "b", "CACHE_GCS_KEY_PREFIX": "p/",
		"CACHE_GCS_DELETE_EXPIRED_ON_READ": true, "CACHE_GCS_ANONYMOUS": "yes", "CACHE_GCS_ENDPOINT": "http://127.0.0.1:1",
		"CACHE_ALLOW_FLUSH": true, "CACHE_OPTIONS": map[string]any{"concurrency": 7, "timeout": "3s"},
	}))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	b := c.Backend().(*Backend)
	want := Options{
		Bucket: "b", Prefix: "p/", DeleteExpiredOnRead: true, Anonymous: true, Endpoint: "http://127.0.0.1:1", AllowFlush: true,
		Concurrency: 7, Timeout: 3 * time.Second,
	}
	if b.options != want {
		t.Errorf("got %+v; want %+v", b.options, want)
	}
}

// Rule CFG-2 of the contract. A mistake names the setting and the field.
func TestWrongSettings(t *testing.T) {
	const secret = "hunter2"
	for name, tt := range map[string]struct {
		settings map[string]any
		want     []string
	}{
		"no bucket":           {map[string]any{}, []string{"CACHE_GCS_BUCKET (Options.Bucket): missing"}},
		"a path as bucket":    {map[string]any{"CACHE_GCS_BUCKET": "b/c"}, []string{`CACHE_GCS_BUCKET (Options.Bucket): "b/c"`}},
		"all at once":         {map[string]any{"CACHE_GCS_ANONYMOUS": "perhaps", "CACHE_OPTIONS": map[string]any{"concurrency": "x"}}, []string{"CACHE_GCS_ANONYMOUS", "CACHE_OPTIONS.concurrency", "CACHE_GCS_BUCKET"}},
		"misspelt":            {map[string]any{"CACHE_GCS_BUCKET": "b", "CACHE_GCS_BUKET": "c"}, []string{"did you mean CACHE_GCS_BUCKET?"}},
		"misspelt option":     {map[string]any{"CACHE_GCS_BUCKET": "b", "CACHE_OPTIONS": map[string]any{"time_out": 1}}, []string{"timeout"}},
		"negative":            {map[string]any{"CACHE_GCS_BUCKET": "b", "CACHE_OPTIONS": map[string]any{"timeout": -1, "concurrency": -1}}, []string{"CACHE_OPTIONS.timeout (Options.Timeout)", "CACHE_OPTIONS.concurrency (Options.Concurrency)"}},
		"a prefix of no name": {map[string]any{"CACHE_GCS_BUCKET": "b", "CACHE_GCS_KEY_PREFIX": "a\nb"}, []string{"CACHE_GCS_KEY_PREFIX (Options.Prefix)"}},
		"no URL":              {map[string]any{"CACHE_GCS_BUCKET": "b", "CACHE_GCS_ENDPOINT": "localhost:4443"}, []string{"CACHE_GCS_ENDPOINT (Options.Endpoint)"}},
		"a path":              {map[string]any{"CACHE_GCS_BUCKET": "b", "CACHE_GCS_ENDPOINT": "http://h/prefix"}, []string{`Endpoint): the path "/prefix"`}},
		"a password":          {map[string]any{"CACHE_GCS_BUCKET": "b", "CACHE_GCS_ENDPOINT": "http://u:" + secret + "@h"}, []string{"Endpoint"}},
		"a fragment":          {map[string]any{"CACHE_GCS_BUCKET": "b", "CACHE_GCS_ENDPOINT": "http://h#" + secret}, []string{"Endpoint"}},
		"not a client":        {map[string]any{"CACHE_GCS_BUCKET": "b", "CACHE_GCS_ENDPOINT": 5.5}, []string{"Endpoint"}},
	} {
		t.Run(name, func(t *testing.T) {
			tt.settings["CACHE_TYPE"] = "gcs"
			_, err := cache.Open(t.Context(), cache.FromMap(tt.settings))
			if !errors.Is(err, cache.ErrInvalidSettings) {
				t.Fatalf("%v; want ErrInvalidSettings", err)
			}
			for _, want := range tt.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%v; want %q", err, want)
				}
			}
			if strings.Contains(err.Error(), secret) {
				t.Errorf("the error shows the password: %v", err)
			}
		})
	}
}

func TestReadyClient(t *testing.T) {
	client, err := storage.NewClient(t.Context(), option.WithoutAuthentication())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	settings := map[string]any{"CACHE_TYPE": "gcs", "CACHE_GCS_BUCKET": "b", "CACHE_GCS_ENDPOINT": client}
	c, err := cache.Open(t.Context(), cache.FromMap(settings))
	if err != nil {
		t.Fatal(err)
	}
	if b := c.Backend().(*Backend); b.close != nil {
		t.Error("the client is not borrowed")
	}
	settings["CACHE_GCS_ANONYMOUS"] = true
	_, err = cache.Open(t.Context(), cache.FromMap(settings))
	if !errors.Is(err, cache.ErrInvalidSettings) || !strings.Contains(err.Error(), "CACHE_GCS_ANONYMOUS (Options.Anonymous)") {
		t.Errorf("%v; want CACHE_GCS_ANONYMOUS refused", err)
	}
}

func TestEmulatorVariable(t *testing.T) {
	t.Setenv(emulatorVariable, "127.0.0.1:4443")
	o, err := Options{Bucket: "b"}.resolved()
	if err != nil || !o.Anonymous || o.Endpoint != "http://127.0.0.1:4443" {
		t.Errorf("%+v, %v", o, err)
	}
	o, err = Options{Bucket: "b", Endpoint: "http://h/storage/v1/"}.resolved()
	if err != nil || o.Anonymous || o.Endpoint != "http://h" {
		t.Errorf("%+v, %v; want what was given", o, err)
	}
}

// Without credentials New fails at once.
func TestNoCredentials(t *testing.T) {
	t.Setenv("GOOGLE_APPLICATION_CREDENTIALS", "/none")
	_, err := New(t.Context(), Options{Bucket: "b"})
	if err == nil || !strings.Contains(err.Error(), "/none") {
		t.Errorf("%v; want the file that is missing", err)
	}
}
