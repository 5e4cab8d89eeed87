package conformance

import (
	"fmt"
	"slices"
	"strings"
	"time"

	cache "github.com/cachebackends/cachebackends/core"
)

var keyCases = []Case{
	{ID: "KEY-1", Name: "empty_key",
		Rule:   "the empty key is ErrInvalidKey from every operation, before any I/O",
		Why:    "one client library runs the value of an empty key as a command",
		traits: cacheOnly | null,
		Run: func(t *T) {
			through := &store{cache: t.cache, recorder: t.try.recorder}
			for _, v := range t.possible(keyVerbs) {
				t.ErrorIs(v.name+` with the key ""`, v.call(t.ctx, through, ""), cache.ErrInvalidKey)
			}
			for _, list := range [][]string{{"a", ""}, {"", "a"}} {
				_, err := through.GetMany(t.ctx, list...)
				t.ErrorIs("GetMany with an empty key among others", err, cache.ErrInvalidKey)
			}
		}},
	{ID: "KEY-2", Name: "control_characters",
		Rule: "a key with a space, tab, CR, LF, NUL, DEL or another control character works or is ErrInvalidKey: never half",
		Why:  "text protocols end words and lines at them",
		Run: func(t *T) {
			var list []string
			for c := range 0x21 {
				list = append(list, "a"+string(rune(c))+"b", string(rune(c))+"b", "a"+string(rune(c)))
			}
			t.rand.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
			list = list[:t.fewer(len(list))]
			t.distinct(append(list, "ab", "a", "b", "a\x7fb", "\x7f")...)
		}},
	{ID: "KEY-3", Name: "trailing_newline",
		Rule: "a key that ends in a newline is not the key without it",
		Why:  "the $ of a regular expression accepts it",
		Run:  func(t *T) { t.distinct("abc", "abc\n", "abc\r\n", "abc\n\n") }},
	{ID: "KEY-4", Name: "injection",
		Rule: "a key that holds a command of a protocol stores nothing under the key in that command",
		Why:  "whoever chooses keys would write to others' entries",
		Run: func(t *T) {
			victim := t.Full("x")
			for _, command := range []string{
				"a\r\nset " + victim + " 0 0 1\r\ny",
				"a 0 0 1\r\ny\r\nset " + victim + " 0 0 1\r\ny\r\n",
				"a\r\n*3\r\n$3\r\nSET\r\n$" + fmt.Sprint(len(victim)) + "\r\n" + victim + "\r\n$1\r\ny\r\n",
				"a\r\ndelete " + victim + "\r\n",
			} {
				t.worksOrRefused(command)
				t.Miss("after operations with the key "+show(command), "x")
			}
		}},
	{ID: "KEY-5", Name: "unicode",
		Rule: "keys in any script work; composed and decomposed forms are two keys",
		Why:  "file systems normalise, and lengths are counted in characters instead of bytes",
		Run: func(t *T) {
			list := []string{"\u00e9", "e\u0301", "日本語", "ключ", "😀😀😀", "\u202e", "\u2028", "K", "\u212a", "\ufeff"}
			t.distinct(list...)
			for _, key := range list {
				t.works(key)
			}
		}},
	{ID: "KEY-6", Name: "invalid_utf8",
		Rule: "a key that is not UTF-8 works or is ErrInvalidKey, the same from all operations",
		Why:  "bytes that cannot be decoded are replaced on the way, and keys become one",
		Run:  func(t *T) { t.distinct("\xff", "\xfe", "a\xc3", "a\xc3\x28", "a\ufffd", "\ufffd") }},
	{ID: "KEY-7", Name: "longest_key",
		Rule: "the limit of a key counts the prefix; the longest works, one byte more is ErrInvalidKey and names the limit",
		Why:  "a check of the bare key lets the longer one through to the server",
		Run:  longestKey, traits: private},
	{ID: "KEY-8", Name: "long_keys",
		Rule: "keys of 300 bytes, 1 KB and 20 KB work, up to Harness.MaxKey",
		Why:  "file names end at 255 bytes, object names at 1024", traits: private,
		Run: func(t *T) {
			for _, length := range []int{300, 1024, 1025, 20 << 10} {
				if t.harness.MaxKey == 0 || length <= t.harness.MaxKey {
					t.works(t.ofLength(length))
				}
			}
		}},
	{ID: "KEY-9", Name: "key_beyond_16_bits",
		Rule: "a key of more than 65535 bytes works or is ErrInvalidKey, and stores nothing under another key",
		Why:  "16-bit lengths wrap, and the rest of the key becomes something else",
		Run: func(t *T) {
			for _, length := range []int{1<<16 - 1, 1 << 16, 1<<16 + len(t.Full("")) + 3} {
				long := t.ofLength(length)
				if t.worksOrRefused(long) {
					t.Set(long, "v", time.Hour)
				}
				t.Miss("after Set with a key of which it is the beginning", long[:3])
				if m := t.harness.MaxKey; m == 0 || m >= 1<<15 {
					t.Miss("after Set with a key of which it is the beginning", long[:1<<15])
				}
			}
		}},
	{ID: "KEY-10", Name: "paths",
		Rule: "keys that look like paths stay inside the store and are keys of their own",
		Why:  "traversal of directories",
		Run: func(t *T) {
			t.distinct("../../x", "..", ".", "../x", "x", "/x", "//x", "/abs", "abs", "..\\x", "a", "a/", "a/b", "a/b/c",
				"a/b//c", "a/./b", "%2e%2e/x", "~", "C:\\x")
		}},
	{ID: "KEY-11", Name: "refused_keys",
		Rule: "a key that the store has rules against is ErrInvalidKey from every operation",
		Why:  "the server would answer with an error of its own, or not at all",
		Run: func(t *T) {
			for _, key := range t.harness.RefusedKeys {
				t.refuses(key)
			}
		},
		when: func(h Harness) string {
			if len(h.RefusedKeys) == 0 {
				return "the harness names none (Harness.RefusedKeys)"
			}
			return ""
		}},
	{ID: "KEY-12", Name: "names_with_a_meaning",
		Rule: "keys that mean something to file systems and libraries are ordinary keys",
		Why:  "names of devices, trailing dots and blanks, bookkeeping of one's own",
		Run: func(t *T) {
			t.distinct("CON", "con", "NUL", "name", "name.", "name ", "name..", "__wz_cache_count", "x.tmp", "x", ".keep",
				".well-known/acme-challenge/x", "*", "?", "a:b", "a|b", "ping", "version", "lock", "__proto__")
		}},
	{ID: "KEY-13", Name: "prefix_and_key_are_joined",
		Rule:   "the key a under the prefix b: is the key b:a without a prefix, and nothing else",
		Why:    "a hidden separator surprises whoever shares the store",
		traits: cacheOnly | once,
		Run: func(t *T) {
			under := cache.New(t.backend, cache.WithPrefix(t.Full("b:")))
			t.Own("b:a")
			t.Ok("Set", under.Set(t.ctx, "a", []byte("v")))
			t.Hit("after Set of a under the prefix b:", "b:a", "v")
			t.Miss("after Set of a under the prefix b:", "a")
		}},
	{ID: "KEY-14", Name: "prefixes_are_apart",
		Rule:   "prefixes are verbatim; two of which neither begins the other do not see or clear each other",
		Why:    "applications share servers",
		traits: cacheOnly | once,
		Run:    prefixesApart},
	{ID: "KEY-15", Name: "prefix_is_no_pattern",
		Rule:     "a prefix of * ? [ ] ^ - \\ % matches only itself",
		Why:      "Clear of app[1]*: has deleted app1other:b",
		Features: []Feature{PrefixClear}, traits: cacheOnly | once,
		Run: func(t *T) {
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
				t.clearLeaves(prefix, others...)
			}
		}},
	{ID: "KEY-16", Name: "prefix_with_braces",
		Rule:   "a prefix with {} is allowed (on a cluster it keeps all keys in one slot)",
		Why:    "hash tags must not break anything",
		traits: cacheOnly | once,
		Run: func(t *T) {
			for _, prefix := range []string{"{tag}:", "{}:", "{:", "}{:"} {
				under := &store{cache: cache.New(t.backend, cache.WithPrefix(t.Full(prefix))), recorder: t.try.recorder}
				t.Own(prefix + "k")
				for _, v := range t.possible(keyVerbs) {
					t.Ok(v.name+" under the prefix "+prefix, v.call(t.ctx, under, "k"))
				}
			}
		}},
	{ID: "KEY-17", Name: "md5_collision",
		Rule: "two keys with one MD5 are two keys",
		Why:  "collisions are made on demand",
		Run: func(t *T) {
			const a = "TEXTCOLLBYfGiJUETHQ4hAcKSMd5zYpgqf1YRDhkmxHkhPWptrkoyz28wnI9V0aHeAuaKnak"
			t.distinct(a, strings.Replace(a, "hA", "hE", 1))
		}},
	{ID: "KEY-18", Name: "numeric_keys",
		Rule: "keys that look like numbers keep their identity, in batches too",
		Why:  "maps that turn them into integers",
		Run: func(t *T) {
			t.distinct("0", "00", "-0", "+0", "7", "07", "007", "1e3", "1000", "1_000", "1.0", "1", "0x1", "NaN", "true", "null")
		}},
	{ID: "KEY-19", Name: "arguments_are_not_modified",
		Rule: "keys, slices and maps of the caller are never modified",
		Why:  "the caller uses them again",
		Run:  argumentsKept},
	{ID: "KEY-20", Name: "long_keys_are_not_shortened_into_one",
		Rule: "long keys that differ in one byte are as many keys",
		Why:  "cutting and hashing make keys share an entry in silence", traits: private,
		Run: func(t *T) {
			const length = 300
			base := []byte(t.ofLength(length))
			var list []string
			for _, i := range []int{0, 1, 31, 32, 63, 64, 127, 128, 200, 254, 255, 256, length - len(t.Full("")) - 1} {
				other := slices.Clone(base)
				other[i] = 'y'
				list = append(list, string(other))
			}
			t.distinct(append(list, string(base), string(base[:255]), string(base[:240]))...)
		},
		when: func(h Harness) string {
			if h.MaxKey != 0 && h.MaxKey < 300 {
				return fmt.Sprintf("keys end at %d bytes (Harness.MaxKey)", h.MaxKey)
			}
			return ""
		}},
}

// ofLength is a key that has length bytes when the prefix is before it.
func (t *T) ofLength(length int) string { return strings.Repeat("k", length-len(t.Full(""))) }

func longestKey(t *T) {
	limit := t.harness.MaxKey
	if limit == 0 {
		t.works(t.ofLength(250))
		t.works(t.ofLength(251))
		return
	}
	t.works(t.ofLength(limit))
	long := t.ofLength(limit + 1)
	t.refuses(long)
	_, _, err := t.try.Get(t.ctx, long)
	if err == nil || !strings.Contains(err.Error(), fmt.Sprint(limit)) {
		t.Wrong("the error of a key that is too long", err, text(fmt.Sprintf("it names the limit, %d", limit)))
	}
}

func prefixesApart(t *T) {
	names := []string{"a:", "A:", "b:", "ab:", " a:", "a::", "a/"}
	caches := map[string]*cache.Cache{}
	for _, prefix := range names {
		if strings.Contains(prefix, " ") && t.harness.MaxKey != 0 {
			continue // a store with such limits may refuse blanks
		}
		t.Own(prefix + "k")
		caches[prefix] = cache.New(t.backend, cache.WithPrefix(t.Full(prefix)))
		t.Ok("Set under the prefix "+show(prefix), caches[prefix].Set(t.ctx, "k", []byte(prefix)))
	}
	for prefix, c := range caches {
		value, _, err := c.Get(t.ctx, "k")
		t.Ok("Get under the prefix "+show(prefix), err)
		Equal(t, "Get under the prefix "+show(prefix), string(value), prefix)
	}
	if t.Can(PrefixClear) {
		t.clearLeaves("c:", "d:", "C:", "c", "cc:", "c;")
	}
}

// clearLeaves clears under prefix and looks whether that is gone, and nothing
// under others.
func (t *T) clearLeaves(prefix string, others ...string) {
	for _, other := range others {
		t.Set(other+"k", other, time.Hour)
	}
	under := cache.New(t.backend, cache.WithPrefix(t.Full(prefix)))
	t.Set(prefix+"k", "v", time.Hour)
	t.Set(prefix, "v", time.Hour)
	t.Ok("Clear under the prefix "+show(prefix), under.Clear(t.ctx))
	t.Miss("after Clear under the prefix "+show(prefix), prefix+"k")
	t.Miss("after Clear under the prefix "+show(prefix), prefix)
	for _, other := range others {
		t.Hit("after Clear under the prefix "+show(prefix), other+"k", other)
	}
}

func argumentsKept(t *T) {
	list := []string{t.Own("b"), t.Own("a"), t.Own("b"), t.Own("c")}
	want := slices.Clone(list)
	items := map[string][]byte{t.Own("a"): []byte("1"), t.Own("b"): []byte("2")}
	c := t.cache
	t.Ok("SetMany", c.SetMany(t.ctx, items))
	_, err := c.GetMany(t.ctx, list...)
	t.Ok("GetMany", err)
	_, err = c.GetDict(t.ctx, list...)
	t.Ok("GetDict", err)
	if getter, can := t.backend.(cache.ManyGetter); can && t.mode == bare {
		_, err = getter.GetMany(t.ctx, list)
		t.Ok("GetMany", err)
	}
	if deleter, can := t.backend.(cache.ManyDeleter); can && t.mode == bare {
		_, err = deleter.DeleteMany(t.ctx, list[1:])
		t.Ok("DeleteMany", err)
	}
	_, err = c.DeleteMany(t.ctx, list...)
	t.Ok("DeleteMany", err)
	Equal(t, "the slice of keys after the batches", fmt.Sprintf("%q", list), fmt.Sprintf("%q", want))
	Equal(t, "the number of items after SetMany", len(items), 2)
	Equal(t, "the value of an item after SetMany", string(items[t.Own("a")]), "1")
}
