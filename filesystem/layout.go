package filesystem

import (
	"strings"

	"github.com/cachebackends/cachebackends/core/driver"
)

// layout is how a directory holds entries: the names of the files and what is in them.
type layout struct {
	hash       func(key []byte) fileName
	fanOut     int    // number of directories that hold the files; 1 is the directory itself
	tempSuffix string // of the names of temporary files
	flask      bool   // the layout of cachelib's FileSystemCache

	// Of Flask's layout:
	nameLength int    // of the files of entries
	countFile  string // name of the file in which cachelib keeps the number of entries
}

// layoutOf returns the layout of o, which is complete.
func layoutOf(o Options) *layout {
	if o.Flask {
		return flaskLayout(flaskHashMethods[strings.ToLower(o.HashMethod)])
	}
	return &layout{hash: o.hashMethod(), fanOut: fanOut, tempSuffix: tempSuffix}
}

// reserved is the index of a slice for a key that cannot be stored.
const reserved = -1

// sliceOf returns the number of the directory of a file.
func (l *layout) sliceOf(fileName string) int {
	switch {
	case !l.flask:
		return sliceOf(fileName)
	case fileName == l.countFile:
		return reserved
	}
	return 0
}

// isEntry reports whether name has the form of an entry's file name.
func (l *layout) isEntry(name string) bool {
	if l.flask {
		return len(name) == l.nameLength && isHex(name) && name != l.countFile
	}
	return isEntry(name)
}

// round returns x as a file can hold it.
func (l *layout) round(x expiry) expiry {
	if l.flask {
		return x.wholeSeconds()
	}
	return x
}

// headSize returns the size of the part of a file before the value.
func (l *layout) headSize(key string) int {
	if l.flask {
		return flaskHeaderSize
	}
	return headerSize + len(key)
}

// appendHead appends the part of a file before the value.
func (l *layout) appendHead(dst []byte, e entry) []byte {
	if l.flask {
		return e.appendFlaskHead(dst)
	}
	return e.appendHead(dst)
}

// parseHeader reads the header of a file from head, its beginning.
func (l *layout) parseHeader(f file, head []byte) (header, error) {
	if l.flask {
		return parseFlaskHeader(f, head)
	}
	return parseHeader(head)
}

// stored returns the bytes of a file for value.
func (l *layout) stored(value []byte) []byte {
	if l.flask {
		return driver.IntegerToPickle(value)
	}
	return value
}
