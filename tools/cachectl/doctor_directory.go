package main

import (
	"fmt"
	"os"
	"runtime"
)

// minFree is the part of a file system, and of its inodes, below which it is a warning.
const minFree = 0.05

// directory checks the directory of the filesystem backend.
func (d *diagnosis) directory() {
	dir, _ := d.config.Masked()["CACHE_DIR"].(string)
	info, err := os.Stat(dir)
	if err != nil {
		d.add(outcomeProblem, "directory", err.Error(), "create it, or set CACHE_DIR")
		return
	}
	switch mode := info.Mode().Perm(); {
	case runtime.GOOS == "windows": // permissions are not in the mode
	case mode&0o022 != 0:
		d.add(outcomeProblem, "directory", fmt.Sprintf("%s has mode %#o: other users can replace entries", shown(dir), mode), "chmod go-w "+shown(dir))
	case mode&0o005 != 0:
		d.add(outcomeWarning, "directory", fmt.Sprintf("%s has mode %#o: other users can list it", shown(dir), mode), "chmod o-rx "+shown(dir))
	default:
		d.add(outcomeOK, "directory", fmt.Sprintf("%s has mode %#o", shown(dir), mode), "")
	}
	space, inodes, ok := freeOf(dir)
	switch {
	case !ok:
	case space < minFree || inodes < minFree:
		d.add(outcomeWarning, "disk", fmt.Sprintf("%.0f%% of the bytes and %.0f%% of the inodes are free", 100*space, 100*inodes), "free space, or lower CACHE_THRESHOLD")
	default:
		d.add(outcomeOK, "disk", fmt.Sprintf("%.0f%% of the bytes and %.0f%% of the inodes are free", 100*space, 100*inodes), "")
	}
}
