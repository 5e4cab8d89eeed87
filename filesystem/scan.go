package filesystem

import (
	"cmp"
	"context"
	"hash/crc32"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/cachebackends/cachebackends/core/driver"
)

// Scan lists the entries whose key begins with prefix. It lists one fan-out directory at a
// time, and needs memory for the names in it. It opens each file, takes no lock and skips
// files that disappear meanwhile, foreign files and those whose header is damaged; it does
// not verify values. With [Options.Flask] it returns an error wrapping
// [errors.ErrUnsupported], because the files do not contain the keys.
func (b *Backend) Scan(ctx context.Context, prefix string) iter.Seq2[driver.Entry, error] {
	return func(yield func(driver.Entry, error) bool) {
		if b.layout.flask {
			err := b.inSliceAt(0, func(*slice) error { return nil }) // unless it is closed
			yield(driver.Entry{}, cmp.Or(err, errNoKeys))
			return
		}
		reader := headReader{hash: b.layout.hash}
		for index := range b.layout.fanOut {
			names, err := b.entryNames(ctx, index)
			for len(names) > 0 && err == nil {
				step := names[:min(len(names), filesPerStep)]
				names = names[len(step):]
				var found []listed
				if found, err = b.readHeads(ctx, index, step, prefix, &reader); err != nil {
					break
				}
				for _, e := range found {
					if now := time.Now(); !e.expires.expired(now) && !yield(driver.Entry{Key: e.key, TTL: e.expires.remaining(now), Size: e.size}, nil) {
						return
					}
				}
			}
			if err != nil {
				yield(driver.Entry{}, err)
				return
			}
		}
	}
}

// filesPerStep is the number of files that a scan opens before it gives out entries.
const filesPerStep = 64

// entryNames lists the names of entries in a fan-out directory, each once: some file
// systems list a name again that is replaced meanwhile.
func (b *Backend) entryNames(ctx context.Context, index int) (names []string, err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	err = b.inSliceAt(index, func(s *slice) (err error) {
		names, err = s.names(0)
		return err
	})
	names = slices.DeleteFunc(names, func(name string) bool { return !b.layout.isEntry(name) })
	seen := make(map[string]struct{}, len(names))
	names = slices.DeleteFunc(names, func(name string) bool {
		_, again := seen[name]
		seen[name] = struct{}{}
		return again
	})
	return names, ignoreCorrupt(err) // corrupt: a foreign file in place of the fan-out directory
}

// listed is what a scan finds in a file.
type listed struct {
	key     string
	expires expiry
	size    int64 // of the value
}

// readHeads returns the entries with prefix in files of a fan-out directory.
func (b *Backend) readHeads(ctx context.Context, index int, names []string, prefix string, reader *headReader) (found []listed, err error) {
	err = b.inSliceAt(index, func(s *slice) error {
		found = found[:0]
		for _, name := range names {
			if err := ctx.Err(); err != nil {
				return err
			}
			e, err := reader.read(s.dir, name)
			if err == nil && strings.HasPrefix(e.key, prefix) {
				found = append(found, e)
			} else if err = ignoreNotExist(ignoreCorrupt(err)); err != nil {
				return err
			}
		}
		return nil
	})
	return found, err
}

// headReader reads the headers and keys of files.
type headReader struct {
	hash   func(key []byte) fileName
	buffer [headerSize + 480]byte
}

// read returns what the file called name says of its entry. A file whose length or name
// does not agree with its header is corrupt, and so is one whose name was made by another
// hash method, which no other call finds.
func (r *headReader) read(d *dir, name string) (e listed, err error) {
	f, err := d.open(name)
	if err != nil {
		return e, err
	}
	defer f.close()
	n, err := f.readAt(r.buffer[:], 0)
	if err != nil {
		return e, err
	}
	h, err := parseHeader(r.buffer[:n])
	if err != nil {
		return e, err
	}
	size, sparse, err := f.size()
	if err != nil {
		return e, err
	}
	if uint64(size) != h.size() || size > maxFileSize {
		return e, errWrongLength
	}
	key := r.buffer[headerSize:min(n, headerSize+int(h.keyLen))]
	if len(key) < int(h.keyLen) {
		if key, err = readLongKey(f, h, sparse); err != nil {
			return e, err
		}
	}
	if n := r.hash(key); n.String() != name {
		return e, errOtherKey
	}
	return listed{string(key), h.expires, int64(h.valueLen)}, nil
}

// readLongKey reads the key of a file whose size agrees with its header. A sparse file of
// any length costs nothing to make, so that it verifies the checksum of such a file before
// it allocates the memory.
func readLongKey(f file, h header, sparse bool) ([]byte, error) {
	if sparse {
		if err := verifyWhole(f, h); err != nil {
			return nil, err
		}
	}
	key := make([]byte, headerSize+int(h.keyLen))
	n, err := readOn(f, 0, key)
	if err != nil {
		return nil, err
	}
	if n < len(key) {
		return nil, errWrongLength
	}
	return key[headerSize:], nil
}

// verifyWhole checks the checksum of a file whose size agrees with its header, and keeps
// nothing of it.
func verifyWhole(f file, h header) error {
	buffer := readBuffers.Get().(*[readBufferSize]byte)
	defer readBuffers.Put(buffer)
	sum := uint32(0)
	for at, size := int64(0), int64(h.size()); at < size; {
		n, err := f.readAt(buffer[:min(int64(len(buffer)), size-at)], at)
		if err != nil {
			return err
		}
		if n == 0 || at == 0 && n < headerSize {
			return errWrongLength
		}
		part := buffer[:n]
		if at == 0 {
			sum = crc32.Update(sum, castagnoli, part[:checksumAt])
			part = part[headerSize:]
		}
		sum = crc32.Update(sum, castagnoli, part)
		at += int64(n)
	}
	if sum != h.checksum {
		return errChecksum
	}
	return nil
}

var _ driver.Scanner = (*Backend)(nil)
