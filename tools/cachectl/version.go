package main

import (
	"bytes"
	"fmt"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/spf13/cobra"
)

// release is the version of a released binary, set by the linker.
var release string

// buildVersion is what this binary was built from.
type buildVersion struct {
	Version  string          `json:"version"`
	Commit   string          `json:"commit,omitempty"` // with "+changes" if there were any
	Time     string          `json:"time,omitempty"`   // of the commit
	Go       string          `json:"go"`
	Platform string          `json:"platform"`
	Modules  []moduleVersion `json:"modules"` // backends and their clients
	Backends []string        `json:"backends"`
}

type moduleVersion struct {
	Path    string `json:"path"`
	Version string `json:"version"`
}

// clients are the modules of others that speak to the servers.
var clients = []string{"github.com/redis/go-redis/v9", "github.com/bradfitz/gomemcache", "cloud.google.com/go/storage"}

func readVersion() buildVersion {
	v := buildVersion{Version: "(devel)", Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH, Modules: []moduleVersion{}, Backends: builtBackends()}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return v
	}
	if info.Main.Version != "" {
		v.Version = info.Main.Version
	}
	if release != "" {
		v.Version = release
	}
	settings := make(map[string]string)
	for _, s := range info.Settings {
		settings[s.Key] = s.Value
	}
	v.Commit, v.Time = settings["vcs.revision"], settings["vcs.time"]
	if v.Commit != "" && settings["vcs.modified"] == "true" {
		v.Commit += "+changes"
	}
	root := strings.TrimSuffix(info.Main.Path, "/tools/cachectl") + "/"
	for _, dep := range info.Deps {
		if !strings.HasPrefix(dep.Path, root) && !slices.Contains(clients, dep.Path) {
			continue
		}
		version := dep.Version
		if dep.Replace != nil || version == "(devel)" { // a directory of the same commit
			version = v.Version
		}
		v.Modules = append(v.Modules, moduleVersion{strings.TrimPrefix(dep.Path, root), version})
	}
	return v
}

// version returns one line, for --version.
func version() string {
	v := readVersion()
	return v.Version + " " + v.Go + " " + v.Platform
}

func (a *app) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version, and those of the backends and their clients",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			v := readVersion()
			var text bytes.Buffer
			fmt.Fprintln(&text, "cachectl", version())
			if v.Commit != "" {
				fmt.Fprintln(&text, "commit", v.Commit, v.Time)
			}
			for _, m := range v.Modules {
				fmt.Fprintf(&text, "%-40s %s\n", m.Path, m.Version)
			}
			fmt.Fprintln(&text, "CACHE_TYPE:", strings.Join(v.Backends, ", "))
			fields := object{"version": v.Version, "go": v.Go, "platform": v.Platform, "modules": v.Modules, "backends": v.Backends}
			if v.Commit != "" {
				fields["commit"], fields["time"] = v.Commit, v.Time
			}
			return a.result(true, fields, text.Bytes())
		},
	}
}
