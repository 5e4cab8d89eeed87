package driver

import (
	"encoding/json"
	"math"
	"runtime/debug"
	"strings"
	"testing"
	"testing/fstest"
)

// setMemoryLimit sets the limit of the Go runtime until the test ends.
func setMemoryLimit(t *testing.T, limit int64) {
	t.Helper()
	before := debug.SetMemoryLimit(limit)
	t.Cleanup(func() { debug.SetMemoryLimit(before) })
}

func TestSize(t *testing.T) {
	setMemoryLimit(t, 1_000_000) // smaller than that of any machine
	for _, test := range []struct {
		given any
		want  Size
		err   string // instead
	}{
		{"0", 0, ""},
		{"1048576", 1 << 20, ""},
		{5, 5, ""},
		{int64(1) << 40, 1 << 40, ""},
		{json.Number("1e6"), 1_000_000, ""},
		{2048.0, 2048, ""},
		{"-1", -1, ""},
		{"256MiB", 256 << 20, ""},
		{"64MB", 64_000_000, ""},
		{"1kb", 1000, ""},
		{"1 KiB", 1024, ""},
		{"1.5GiB", 3 << 29, ""},
		{"2gb", 2_000_000_000, ""},
		{"1TiB", 1 << 40, ""},
		{"1tb", 1_000_000_000_000, ""},
		{"7B", 7, ""},
		{"0.0001KiB", 1, ""},
		{"10%", 100_000, ""},
		{"0.5 %", 5_000, ""},
		{"100%", 1_000_000, ""},
		{"0.00000001%", 1, ""},
		{"0%", 0, errPercent.Error()},
		{"-5%", 0, errPercent.Error()},
		{"101%", 0, errPercent.Error()},
		{"%", 0, errPercent.Error()},
		{"MiB", 0, errSize.Error()},
		{"1.5", 0, errSize.Error()},
		{"9999999TiB", 0, errSize.Error()},
		{"99999999999999999999", 0, errSize.Error()},
		{"0x10MiB", 0, errSize.Error()},
		{"12Mi", 0, errSize.Error()},
		{"much", 0, errSize.Error()},
		{[]string{"1"}, 0, errSize.Error()},
	} {
		var target struct {
			Size Size `setting:"CACHE_SOME_SIZE"`
		}
		s := NewSettings(map[string]any{"CACHE_SOME_SIZE": test.given})
		s.Bind(&target)
		err := s.Check(nil)
		if test.err != "" {
			if err == nil || !strings.Contains(err.Error(), test.err) {
				t.Errorf("%v: error %v, want %q", test.given, err, test.err)
			}
			continue
		}
		if err != nil || target.Size != test.want {
			t.Errorf("%v: %v, %v, want %v", test.given, target.Size, err, test.want)
		}
	}
}

func TestSizeBounds(t *testing.T) {
	var target struct {
		Size Size `setting:"CACHE_SOME_SIZE" default:"1MiB" min:"1KiB"`
	}
	s := NewSettings(nil)
	s.Bind(&target)
	if target.Size != 1<<20 {
		t.Errorf("the default is %v", target.Size)
	}
	s = NewSettings(map[string]any{"CACHE_SOME_SIZE": "5B"})
	s.Bind(&target)
	if err := s.Check(nil); err == nil || !strings.Contains(err.Error(), "5 bytes is too small: at least 1KiB") {
		t.Errorf("below the bound: %v", err)
	}
}

func TestMemoryLimit(t *testing.T) {
	file := func(text string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(text)} }
	for _, test := range []struct {
		name  string
		files fstest.MapFS
		want  int64
	}{
		{"not Linux", fstest.MapFS{}, noMemoryLimit},
		{"version 2", fstest.MapFS{
			"proc/self/cgroup":                          file("0::/system.slice/app\n"),
			"sys/fs/cgroup/system.slice/app/memory.max": file("max\n"),
			"sys/fs/cgroup/system.slice/memory.max":     file("5000\n"),
		}, 5000},
		{"version 2, the inner group is smaller", fstest.MapFS{
			"proc/self/cgroup":             file("0::/a/b\n"),
			"sys/fs/cgroup/a/b/memory.max": file("3000\n"),
			"sys/fs/cgroup/a/memory.max":   file("5000\n"),
		}, 3000},
		{"version 2 in a container", fstest.MapFS{
			"proc/self/cgroup":         file("0::/\n"),
			"sys/fs/cgroup/memory.max": file("7000\n"),
		}, 7000},
		{"version 2 without a limit", fstest.MapFS{
			"proc/self/cgroup":         file("0::/\n"),
			"sys/fs/cgroup/memory.max": file("max\n"),
		}, noMemoryLimit},
		{"version 1", fstest.MapFS{
			"proc/self/cgroup": file("12:cpu,cpuacct:/x\n7:memory:/docker/x\n0::/\n"),
			"sys/fs/cgroup/memory/docker/x/memory.limit_in_bytes": file("4096\n"),
		}, 4096},
		{"version 1 in a container", fstest.MapFS{
			"proc/self/cgroup":                           file("7:memory:/docker/x\n"),
			"sys/fs/cgroup/memory/memory.limit_in_bytes": file("8192\n"),
		}, 8192},
		{"version 1 without a limit", fstest.MapFS{
			"proc/self/cgroup":                           file("7:memory:/\n"),
			"sys/fs/cgroup/memory/memory.limit_in_bytes": file("9223372036854771712\n"),
		}, noMemoryLimit},
		{"malformed", fstest.MapFS{"proc/self/cgroup": file("7:memory\n::\nabc")}, noMemoryLimit},
	} {
		if got := cgroupLimit(test.files); got != test.want {
			t.Errorf("%s: %d, want %d", test.name, got, test.want)
		}
	}
	limited := fstest.MapFS{"proc/self/cgroup": file("0::/\n"), "sys/fs/cgroup/memory.max": file("7000\n")}
	for _, test := range []struct{ runtime, want int64 }{{math.MaxInt64, 7000}, {10_000, 7000}, {6000, 6000}} {
		setMemoryLimit(t, test.runtime)
		if got := memoryLimit(limited); got != test.want {
			t.Errorf("GOMEMLIMIT %d: %d, want %d", test.runtime, got, test.want)
		}
	}
}
