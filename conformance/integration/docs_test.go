package integration

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cachebackends/cachebackends/conformance/integration/servers"
	cache "github.com/cachebackends/cachebackends/core"
	_ "github.com/cachebackends/cachebackends/guard"
	_ "github.com/cachebackends/cachebackends/memcached"
	_ "github.com/cachebackends/cachebackends/redis"
	_ "github.com/cachebackends/cachebackends/simple"
	_ "github.com/cachebackends/cachebackends/tiered"
)

// The settings in docs and in the READMEs are accepted. Backends that are opened without
// a connection are opened; nothing is sent to the addresses.
func TestSettingsInDocs(t *testing.T) {
	pages, err := filepath.Glob("../../docs/*.md")
	readmes, err2 := filepath.Glob("../../*/README.md")
	if err != nil || err2 != nil {
		t.Fatal(err, err2)
	}
	authority := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(authority, []byte(servers.NewCertificate(t).CA), 0o600); err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, page := range append(pages, readmes...) {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			settings, isCode := strings.CutPrefix(strings.TrimRight(line, "\n"), "    ")
			settings, _, _ = strings.Cut(settings, " #")
			environ := strings.Fields(strings.ReplaceAll(settings, "/etc/redis/server-ca.pem", authority))
			if !isCode || len(environ) == 0 || !isLazy(environ[0]) {
				continue
			}
			found++
			c, err := cache.Open(t.Context(), cache.FromEnv(environ))
			if err != nil {
				t.Errorf("%s: %s: %v", page, settings, err)
				continue
			}
			c.Close()
		}
	}
	if found < 15 {
		t.Errorf("only %d lines of settings were found", found)
	}
}

// isLazy reports whether a setting names a backend that does not connect when it is opened.
func isLazy(setting string) bool {
	name, ok := strings.CutPrefix(setting, "CACHE_TYPE=")
	return ok && (strings.HasPrefix(name, "redis") || strings.HasSuffix(name, "memcached") || name == "guard" || name == "tiered")
}
