package cachetls

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cachebackends/cachebackends/core/driver"
)

type settings struct {
	Files Files `prefix:"CACHE_TEST_TLS_"`
}

// read returns what Config makes of given, and what is wrong with them.
func read(t *testing.T, given map[string]any) (*tls.Config, error) {
	t.Helper()
	var target settings
	s := driver.NewSettings(given)
	s.Bind(&target)
	config := target.Files.Config(s, "CACHE_TEST_TLS_")
	return config, s.Check(nil)
}

// files writes the certificate of server and its key.
func files(t *testing.T, server *httptest.Server) (cert, key string) {
	t.Helper()
	private, err := x509.MarshalPKCS8PrivateKey(server.TLS.Certificates[0].PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	write := func(name, kind string, der []byte) string {
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	return write("cert.pem", "CERTIFICATE", server.Certificate().Raw), write("key.pem", "PRIVATE KEY", private)
}

func TestConfig(t *testing.T) {
	server := httptest.NewUnstartedServer(nil)
	server.TLS = &tls.Config{ClientAuth: tls.RequireAnyClientCert}
	server.StartTLS()
	defer server.Close()
	cert, key := files(t, server)
	config, err := read(t, map[string]any{
		"CACHE_TEST_TLS_CA": cert, "CACHE_TEST_TLS_CERT": cert, "CACHE_TEST_TLS_KEY": key, "CACHE_TEST_TLS_SERVER_NAME": "example.com",
	})
	if config == nil {
		t.Fatal(err)
	}
	conn, err := tls.Dial("tcp", server.Listener.Addr().String(), config)
	if err != nil {
		t.Fatal(err)
	}
	conn.Close()
	if config.ServerName != "example.com" || len(config.Certificates) != 1 {
		t.Errorf("name %q, %d certificates", config.ServerName, len(config.Certificates))
	}
}

func TestConfigIsNilWithoutSettings(t *testing.T) {
	if config, err := read(t, map[string]any{}); config != nil || err != nil {
		t.Errorf("got %+v, %v", config, err)
	}
}

func TestBadSettings(t *testing.T) {
	server := httptest.NewTLSServer(nil)
	defer server.Close()
	cert, key := files(t, server)
	for name, tt := range map[string]struct{ setting, value, want string }{
		"no CA file":              {"CACHE_TEST_TLS_CA", "/none", "CACHE_TEST_TLS_CA: open /none"},
		"no certificate in it":    {"CACHE_TEST_TLS_CA", key, "CACHE_TEST_TLS_CA: " + key + " holds no certificate"},
		"certificate without key": {"CACHE_TEST_TLS_CERT", cert, "CACHE_TEST_TLS_KEY: missing"},
		"key without certificate": {"CACHE_TEST_TLS_KEY", key, "CACHE_TEST_TLS_CERT: missing"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := read(t, map[string]any{tt.setting: tt.value}); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v; want %q", err, tt.want)
			}
		})
	}
	t.Run("a key in place of a certificate", func(t *testing.T) {
		_, err := read(t, map[string]any{"CACHE_TEST_TLS_CERT": key, "CACHE_TEST_TLS_KEY": key})
		if err == nil || !strings.Contains(err.Error(), "CACHE_TEST_TLS_CERT: ") {
			t.Error(err)
		}
	})
}
