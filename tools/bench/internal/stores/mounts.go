package stores

import (
	"os"
	"path/filepath"
	"strings"
)

// Dirs are a temporary directory and, on Linux, one in memory.
func Dirs() []string {
	dirs := []string{os.TempDir()}
	if FileSystem("/dev/shm") == "tmpfs" && FileSystem(os.TempDir()) != "tmpfs" {
		dirs = append(dirs, "/dev/shm")
	}
	return dirs
}

// FileSystem names the kind of file system that dir is on: "tmpfs", "xfs",
// "ext4-journal", "ext4-nojournal"; "disk" if the system does not say.
func FileSystem(dir string) string {
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return "disk"
	}
	dir, err = filepath.Abs(dir)
	if err != nil {
		return "disk"
	}
	if real, err := filepath.EvalSymlinks(dir); err == nil {
		dir = real
	}
	kind, device, longest := "disk", "", 0
	for line := range strings.Lines(string(mounts)) {
		mount, source, ok := strings.Cut(line, " - ")
		front, back := strings.Fields(mount), strings.Fields(source)
		if !ok || len(front) < 5 || len(back) < 2 {
			continue
		}
		point := front[4]
		inside := point == "/" || dir == point || strings.HasPrefix(dir, point+"/")
		if inside && len(point) >= longest { // a later mount hides an earlier one
			kind, device, longest = back[0], back[1], len(point)
		}
	}
	if kind != "ext4" {
		return kind
	}
	// The journal's thread is the only trace that is readable without root.
	journals, _ := filepath.Glob("/proc/fs/jbd2/" + filepath.Base(device) + "-*")
	if len(journals) == 0 {
		return "ext4-nojournal"
	}
	return "ext4-journal"
}
