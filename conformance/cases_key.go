package conformance

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	cache "github.com/cachebackends/cachebackends/core"
	"github.com/cachebackends/cachebackends/core/driver"
)

var keyCases = []Case{
	{ID: "KEY-1", Name: "empty_key",
		Rule:  "the empty key is ErrInvalidKey from every operation, before any I/O",
		Why:   "One client library sends an empty key as nothing, and the server executes the value as a command.",
		flags: cacheOnly | alsoNull,
		run: func(t *attempt) {
			through := &handle{cache: t.cache, written: t.handle.written}
			for _, op := range t.ofCache(keyOperations) {
				t.errorIs(op.name+` with the key ""`, op.call(t.ctx, through, ""), driver.ErrInvalidKey)
			}
			for _, list := range [][]string{{"a", ""}, {"", "a"}} {
				_, err := through.GetMany(t.ctx, list...)
				t.errorIs("GetMany with an empty key among others", err, driver.ErrInvalidKey)
			}
		}},
	{ID: "KEY-2", Name: "control_characters",
		Rule: "a key with a space, tab, CR, LF, NUL, DEL or another control character works or is ErrInvalidKey, the same from all operations",
		Why:  "Text protocols end words and lines at such characters, and the rest of the key is read as something else.",
		run: func(t *attempt) {
			var list []string
			for c := range 0x21 {
				list = append(list, "a"+string(rune(c))+"b", string(rune(c))+"b", "a"+string(rune(c)))
			}
			t.rand.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
			list = list[:t.fewer(len(list))]
			t.keysAreDistinct(append(list, "ab", "a", "b", "a\x7fb", "\x7f")...)
		}},
	{ID: "KEY-3", Name: "trailing_newline",
		Rule: "a key that ends in a newline is not the key without it",
		Why:  "The $ of a regular expression also matches before a final newline, so a check lets such a key through.",
		run:  func(t *attempt) { t.keysAreDistinct("abc", "abc\n", "abc\r\n", "abc\n\n") }},
	{ID: "KEY-4", Name: "injection",
		Rule: "a key that contains a protocol command stores nothing under the key in that command",
		Why:  "Otherwise a user who chooses a key can overwrite the entries of others.",
		run: func(t *attempt) {
			victim := t.storedKey("x")
			for _, command := range []string{
				"a\r\nset " + victim + " 0 0 1\r\ny",
				"a 0 0 1\r\ny\r\nset " + victim + " 0 0 1\r\ny\r\n",
				"a\r\n*3\r\n$3\r\nSET\r\n$" + fmt.Sprint(len(victim)) + "\r\n" + victim + "\r\n$1\r\ny\r\n",
				"a\r\ndelete " + victim + "\r\n",
			} {
				t.keyWorksOrIsInvalid(command)
				t.miss("after operations with the key "+show(command), "x")
			}
		}},
	{ID: "KEY-5", Name: "unicode",
		Rule: "keys in any script work; composed and decomposed forms are two keys",
		Why:  "File systems normalise names, and a length counted in characters exceeds a limit in bytes.",
		run: func(t *attempt) {
			list := []string{"\u00e9", "e\u0301", "日本語", "ключ", "😀😀😀", "\u202e", "\u2028", "K", "\u212a", "\ufeff"}
			t.keysAreDistinct(list...)
			for _, key := range list {
				t.keyWorks(key)
			}
		}},
	{ID: "KEY-6", Name: "invalid_utf8",
		Rule: "a key that is not UTF-8 works or is ErrInvalidKey, the same from all operations",
		Why:  "If invalid bytes are replaced on the way to the store, different keys share one entry.",
		run:  func(t *attempt) { t.keysAreDistinct("\xff", "\xfe", "a\xc3", "a\xc3\x28", "a\ufffd", "\ufffd") }},
	{ID: "KEY-7", Name: "longest_key",
		Rule:  "the prefix counts towards the limit of a key; the longest key works, and a key that is one byte longer is ErrInvalidKey, whose text says that the key is too long",
		Why:   "If the check ignores the prefix, the backend sends a key that the server rejects.",
		flags: needsOwnStore, run: longestKey},
	{ID: "KEY-8", Name: "long_keys",
		Rule:  "keys of 300 bytes, 1 KB and 20 KB work, up to Limits.MaxKey",
		Why:   "File names end at 255 bytes and object names at 1024, and a longer key fails only in production.",
		flags: needsOwnStore,
		run: func(t *attempt) {
			for _, length := range []int{300, 1024, 1025, 20 << 10} {
				if limit := t.harness.Limits.MaxKey; limit == 0 || length <= limit {
					t.keyWorks(t.keyOfLength(length))
				}
			}
		}},
	{ID: "KEY-9", Name: "key_beyond_16_bits",
		Rule: "a key of more than 65535 bytes works or is ErrInvalidKey, and stores nothing under another key",
		Why:  "A length in 16 bits wraps, and the server stores the entry under the beginning of the key.",
		run: func(t *attempt) {
			for _, length := range []int{1<<16 - 1, 1 << 16, 1<<16 + len(t.storedKey("")) + 3} {
				long := t.keyOfLength(length)
				if t.keyWorksOrIsInvalid(long) {
					t.set(long, "v", time.Hour)
				}
				t.miss("after Set of a key that begins with it", long[:3])
				if limit := t.harness.Limits.MaxKey; limit == 0 || limit >= len(t.storedKey(long[:1<<15])) {
					t.miss("after Set of a key that begins with it", long[:1<<15])
				}
			}
		}},
	{ID: "KEY-10", Name: "paths",
		Rule: "keys that look like paths stay inside the store and are distinct",
		Why:  "Otherwise a user who chooses a key can read and write files outside the cache directory.",
		run: func(t *attempt) {
			t.keysAreDistinct("../../x", "..", ".", "../x", "x", "/x", "//x", "/abs", "abs", "..\\x", "a", "a/", "a/b", "a/b/c",
				"a/b//c", "a/./b", "%2e%2e/x", "~", "C:\\x")
		}},
	{ID: "KEY-11", Name: "refused_keys",
		Rule:          "a key of Limits.RefusedKeys, or with a byte outside Limits.KeyAlphabet, is ErrInvalidKey from every operation",
		Why:           "The server would report an error of its own that programs cannot match, or store nothing.",
		notApplicable: needsRefusedKeys,
		run: func(t *attempt) {
			for _, key := range t.harness.Limits.RefusedKeys {
				t.keyIsInvalid(key)
			}
			if alphabet := t.harness.Limits.KeyAlphabet; alphabet != "" {
				t.keepsAlphabet(alphabet)
			}
		}},
	{ID: "KEY-12", Name: "names_with_a_meaning",
		Rule: "keys that have a meaning for file systems or libraries are ordinary keys",
		Why:  "Device names, trailing dots and internal names of the backend would read or damage something else.",
		run: func(t *attempt) {
			t.keysAreDistinct("CON", "con", "NUL", "name", "name.", "name ", "name..", "__wz_cache_count", "x.tmp", "x", ".keep",
				".well-known/acme-challenge/x", "*", "?", "a:b", "a|b", "ping", "version", "lock", "__proto__")
			if t.mode != prefixed && !t.ownStore {
				return
			}
			// A Ping may use a key of its own, but not one that exists.
			t.set("ping", "mine", time.Hour)
			t.must("Ping", t.handle.Ping(t.ctx))
			t.hit("after Ping", "ping", "mine")
			t.delete("ping")
			t.must("Ping", t.handle.Ping(t.ctx))
			t.miss("after Ping", "ping")
		}},
	{ID: "KEY-13", Name: "prefix_and_key_are_joined",
		Rule:  "the key a with the prefix b: is the same as the key b:a without a prefix",
		Why:   "With a hidden separator, programs that share the store do not find each other's entries.",
		flags: cacheOnly | oneModeOnly,
		run: func(t *attempt) {
			under := cache.New(t.backend, cache.WithPrefix(t.storedKey("b:")))
			t.cacheKey("b:a")
			t.must("Set", under.Set(t.ctx, "a", []byte("v")))
			t.hit("after Set of a with the prefix b:", "b:a", "v")
			t.miss("after Set of a with the prefix b:", "a")
		}},
	{ID: "KEY-14", Name: "prefixes_are_independent",
		Rule:  "prefixes are verbatim; two prefixes are independent if neither is a prefix of the other",
		Why:   "Applications that share a server would read or clear each other's entries.",
		flags: cacheOnly | oneModeOnly,
		run:   prefixesAreIndependent},
	{ID: "KEY-15", Name: "prefix_is_not_a_pattern",
		Rule:     "a prefix that contains * ? [ ] ^ - \\ % matches only itself",
		Why:      "Clear with the prefix app[1]*: has deleted the key app1other:b of another application.",
		Features: []Feature{PrefixClear}, flags: cacheOnly | oneModeOnly,
		run: func(t *attempt) {
			for prefix, others := range map[string][]string{
				`*:`:       {`a:`, `:`, `**:`},
				`app[1]*:`: {`app1other:`, `app1:`, `app[1]x:`},
				`a?c:`:     {`abc:`, `ac:`},
				`[a-c]:`:   {`a:`, `b:`, `-:`},
				`[^a]:`:    {`b:`, `^:`},
				`a\*:`:     {`a*:`, `a\x:`, `a\\*:`},
				`%:`:       {`a:`, `%%:`},
				`_:`:       {`a:`},
				`a.c:`:     {`abc:`},
				`(a|b):`:   {`a:`, `b:`},
			} {
				t.clearKeepsOthers(prefix, others...)
			}
		}},
	{ID: "KEY-16", Name: "prefix_with_braces",
		Rule:  "a prefix that contains {} is allowed; on a cluster it keeps all keys in one slot",
		Why:   "Redis Cluster hashes only the part in braces, and a backend that computes slots differently loses the keys.",
		flags: cacheOnly | oneModeOnly,
		run: func(t *attempt) {
			for _, prefix := range []string{"{tag}:", "{}:", "{:", "}{:"} {
				full := t.storedKey(prefix)
				under := &handle{cache: cache.New(t.backend, cache.WithPrefix(full)), written: &keySet{prefix: full, keys: map[string]struct{}{}}}
				t.cacheKey(prefix + "k")
				for _, op := range t.supported(keyOperations) {
					t.must(op.name+" with the prefix "+prefix, op.call(t.ctx, under, "k"))
				}
			}
		}},
	{ID: "KEY-17", Name: "md5_collision",
		Rule: "two keys with the same MD5 are two keys",
		Why:  "MD5 collisions can be constructed, and an attacker would read or replace the entry of another user.",
		run: func(t *attempt) {
			const a = "TEXTCOLLBYfGiJUETHQ4hAcKSMd5zYpgqf1YRDhkmxHkhPWptrkoyz28wnI9V0aHeAuaKnak"
			t.keysAreDistinct(a, strings.Replace(a, "hA", "hE", 1))
		}},
	{ID: "KEY-18", Name: "numeric_keys",
		Rule: "keys that look like numbers are distinct, also in batches",
		Why:  "A map that converts keys to integers makes 7 and 007 share one entry.",
		run: func(t *attempt) {
			t.keysAreDistinct("0", "00", "-0", "+0", "7", "07", "007", "1e3", "1000", "1_000", "1.0", "1", "0x1", "NaN", "true", "null")
		}},
	{ID: "KEY-19", Name: "arguments_are_not_modified",
		Rule: "the keys, slices and maps of the caller are never modified",
		Why:  "The caller uses them again, and finds them reordered or with another value.",
		run:  argumentsAreNotModified},
	{ID: "KEY-20", Name: "long_keys_are_distinct",
		Rule:  "long keys that differ in one byte are distinct",
		Why:   "If long keys are truncated or hashed, two of them share one entry without an error.",
		flags: needsOwnStore,
		run: func(t *attempt) {
			const length = 300
			base := []byte(t.keyOfLength(length))
			var list []string
			for _, i := range []int{0, 1, 31, 32, 63, 64, 127, 128, 200, 254, 255, 256, len(base) - 1} {
				other := slices.Clone(base)
				other[i] = 'y'
				list = append(list, string(other))
			}
			t.keysAreDistinct(append(list, string(base), string(base[:255]), string(base[:240]))...)
		},
		notApplicable: func(h Harness) string {
			if limit := h.Limits.MaxKey; limit != 0 && limit < 300 {
				return fmt.Sprintf("keys have at most %d bytes (Limits.MaxKey)", limit)
			}
			return ""
		}},
}

func needsRefusedKeys(h Harness) string {
	if len(h.Limits.RefusedKeys) == 0 && h.Limits.KeyAlphabet == "" {
		return "the harness names none (Limits.RefusedKeys, Limits.KeyAlphabet)"
	}
	return ""
}

// keepsAlphabet tests a key with each byte: in its middle, where every store treats
// bytes alike. Bytes that the suite spells otherwise are left out.
func (t *attempt) keepsAlphabet(alphabet string) {
	for c := range 0x80 {
		switch one := string(rune(c)); {
		case strings.Contains(punctuation, one) && !strings.Contains(alphabet, one):
		case strings.Contains(alphabet, one):
			t.keyWorks("a" + one + "b")
		default:
			t.keyIsInvalid("a" + one + "b")
		}
	}
}

// invalidKeys returns the keys that the harness declares invalid.
func (t *attempt) invalidKeys() []string {
	list := slices.Clone(t.harness.Limits.RefusedKeys)
	if limit := t.harness.Limits.MaxKey; limit != 0 {
		list = append(list, t.keyOfLength(limit+1))
	}
	return list
}

// keyOfLength returns a key that has length bytes including the prefix.
func (t *attempt) keyOfLength(length int) string {
	prefix := t.storedKey("")
	if alphabet := t.harness.Limits.KeyAlphabet; alphabet != "" {
		prefix = newSpelling(alphabet).key(prefix)
	}
	return strings.Repeat("k", length-len(prefix))
}

func longestKey(t *attempt) {
	limit := t.harness.Limits.MaxKey
	if limit == 0 {
		t.keyWorks(t.keyOfLength(250))
		t.keyWorks(t.keyOfLength(251))
		return
	}
	t.keyWorks(t.keyOfLength(limit))
	long := t.keyOfLength(limit + 1)
	t.keyIsInvalid(long)
	if _, _, err := t.handle.Get(t.ctx, long); !explainsLength(err, limit) {
		t.wrong("the error of a key that is too long", err, text("a text that says so"))
	}
}

// explainsLength reports whether the text of err says that a key is too long.
func explainsLength(err error, limit int) bool {
	printed := strings.ToLower(fmt.Sprint(err))
	return slices.ContainsFunc([]string{fmt.Sprint(limit), "long", "length", "large", "size", "limit", "bytes", "exceed", "at most", "maximum"},
		func(word string) bool { return strings.Contains(printed, word) })
}

func prefixesAreIndependent(t *attempt) {
	names := []string{"a:", "A:", "b:", "ab:", " a:", "a::", "a/"}
	caches := map[string]*cache.Cache{}
	for _, prefix := range names {
		t.cacheKey(prefix + "k")
		c := cache.New(t.backend, cache.WithPrefix(t.storedKey(prefix)))
		err := c.Set(t.ctx, "k", []byte(prefix))
		if errors.Is(err, driver.ErrInvalidKey) && !strings.HasSuffix(prefix, "b:") {
			continue // a store may reject spaces and other bytes
		}
		t.must("Set with the prefix "+show(prefix), err)
		caches[prefix] = c
	}
	for prefix, c := range caches {
		value, _, err := c.Get(t.ctx, "k")
		t.must("Get with the prefix "+show(prefix), err)
		equal(t, "Get with the prefix "+show(prefix), string(value), prefix)
	}
	if t.supports(PrefixClear) {
		t.clearKeepsOthers("c:", "d:", "C:", "c", "cc:", "c;")
	}
}

func argumentsAreNotModified(t *attempt) {
	value := []byte("value")
	t.must("Set", t.handle.Set(t.ctx, "v", value, time.Hour))
	equal(t, "the value after Set", string(value), "value")
	_, err := t.handle.Add(t.ctx, "w", value, time.Hour)
	t.must("Add", err)
	equal(t, "the value after Add", string(value), "value")
	t.hit("after Set", "v", "value")
	list := []string{t.cacheKey("b"), t.cacheKey("a"), t.cacheKey("b"), t.cacheKey("c")}
	want := slices.Clone(list)
	items := map[string][]byte{t.cacheKey("a"): []byte("1"), t.cacheKey("b"): []byte("2")}
	c := t.cache
	t.must("SetMany", c.SetMany(t.ctx, items))
	_, err = c.GetMany(t.ctx, list...)
	t.must("GetMany", err)
	_, err = c.GetDict(t.ctx, list...)
	t.must("GetDict", err)
	if t.mode == bare {
		_, err = t.handle.bare.GetMany(t.ctx, list)
		t.must("GetMany", err)
		_, err = t.handle.bare.DeleteMany(t.ctx, list[1:])
		t.must("DeleteMany", err)
	}
	_, err = c.DeleteMany(t.ctx, list...)
	t.must("DeleteMany", err)
	equal(t, "the slice of keys after the batches", fmt.Sprintf("%q", list), fmt.Sprintf("%q", want))
	equal(t, "the number of items after SetMany", len(items), 2)
	equal(t, "the value of an item after SetMany", string(items[t.cacheKey("a")]), "1")
}
