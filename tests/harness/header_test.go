// SPDX-License-Identifier: Apache-2.0

package harness

import (
	"os"
	"regexp"
	"slices"
	"strings"
)

const headerPath = "../../capi/aimdb.h"

// A header is what the tests read from aimdb.h.
type header struct {
	functions []*function
	byName    map[string]*function
	structs   map[string][]string // fields by type name
	inits     map[string]string   // initialiser macro by type name
	enums     []string
	defines   []string // those with a value
}

type function struct {
	name       string
	answers    bool // returns a status
	params     []param
	documented map[Status]bool // by its own text
}

type param struct {
	typ, name string
	nullable  bool
}

// Where the header allows NULL. A buffer or data may be NULL if its size is 0.
var nullable = map[string][]string{
	"aimdb_produce_batch": {"produced"},
	"aimdb_create":        {"config"}, "aimdb_register": {"config"}, "aimdb_open": {"type_name"},
	"aimdb_subscribe": {"consumer"}, "aimdb_unsubscribe": {"last"}, "aimdb_reader_close": {"last"},
}

func (p param) pointer() bool { return strings.Contains(p.typ, "*") }
func (p param) timeout() bool { return p.name == "timeout_ns" }
func (p param) emitter() bool { return p.typ == "aimdb_emitter_t *" }

func (p param) handle() bool {
	return slices.Contains([]string{"aimdb_t *", "aimdb_record_t *", "aimdb_consumer_t *",
		"aimdb_reader_t *", "aimdb_emitter_t *"}, p.typ)
}

// structure names the struct that a parameter points to, "" if to none.
func (p param) structure() string {
	name := strings.TrimSuffix(strings.TrimPrefix(p.typ, "const "), " *")
	if _, ok := api.structs[name]; ok && p.pointer() {
		return name
	}
	return ""
}

func (f *function) index(name string) int {
	return slices.IndexFunc(f.params, func(p param) bool { return p.name == name })
}

// refusals are the statuses that section 1 of the header adds to a function's
// own. AIMDB_ERR_INTERNAL is not there: it takes a planted fault.
func (f *function) refusals() map[Status]bool {
	all := map[Status]bool{ErrForked: true}
	for _, p := range f.params {
		switch {
		case p.emitter():
			all[ErrEmitter] = true
		case p.handle():
			all[ErrHandle] = true
		case p.timeout(), p.pointer() && !p.nullable:
			all[ErrArgument] = true
		}
		if p.structure() != "" {
			all[ErrVersion] = true
		}
	}
	return all
}

var (
	comment     = regexp.MustCompile(`(?s)/\*.*?\*/`)
	declaration = regexp.MustCompile(`(?sm)^AIMDB_API\s+([\w\s]*?[\s*]+)(aimdb_\w+)\((.*?)\);`)
	structure   = regexp.MustCompile(`(?s)typedef struct \w+ \{(.*?)\} (\w+);`)
	enumeration = regexp.MustCompile(`(?s)typedef enum \w+ \{(.*?)\} \w+;`)
	enumerator  = regexp.MustCompile(`AIMDB_\w+`)
	definition  = regexp.MustCompile(`(?m)^#define (AIMDB_\w+)[ \t]+(\S.*)$`)
	initialiser = regexp.MustCompile(`#define (AIMDB_\w+_INIT)[\s\\]*\{ sizeof\((\w+)\)`)
	blank       = regexp.MustCompile(`\s+`)
	table       = regexp.MustCompile(`(?m)^ \*   (AIMDB_|as )`)
	sameAs      = regexp.MustCompile(`(?m)^ \*   as (aimdb_\w+)`)
)

var api = parseHeader()

func headerText() string {
	raw, err := os.ReadFile(headerPath)
	if err != nil {
		panic(err)
	}
	return string(raw)
}

func parseHeader() *header {
	text := headerText()
	bare := comment.ReplaceAllString(text, "")
	h := &header{byName: make(map[string]*function), structs: make(map[string][]string),
		inits: make(map[string]string)}
	h.parseFunctions(text)
	for _, m := range structure.FindAllStringSubmatch(bare, -1) {
		h.structs[m[2]] = fields(m[1])
	}
	for _, m := range initialiser.FindAllStringSubmatch(bare, -1) {
		h.inits[m[2]] = m[1]
	}
	for _, m := range enumeration.FindAllStringSubmatch(bare, -1) {
		h.enums = append(h.enums, enumerator.FindAllString(m[1], -1)...)
	}
	for _, m := range definition.FindAllStringSubmatch(bare, -1) {
		if m[1] != "AIMDB_API" && !strings.HasSuffix(m[1], "_INIT") {
			h.defines = append(h.defines, m[1])
		}
	}
	return h
}

func fields(body string) []string {
	var names []string
	for _, field := range strings.Split(body, ";") {
		if field = strings.TrimSpace(field); field != "" {
			field, _, _ = strings.Cut(field, "[")
			names = append(names, field[strings.LastIndexAny(field, " *")+1:])
		}
	}
	return names
}

// parseFunctions gives a function the comment above it. Those below each other
// without an empty line share one.
func (h *header) parseFunctions(text string) {
	above, end := "", 0
	for _, at := range declaration.FindAllStringSubmatchIndex(text, -1) {
		if between := text[end:at[0]]; between != "\n" {
			above = between[strings.LastIndex(between, "/*"):]
		}
		end = at[1]
		f := &function{name: text[at[4]:at[5]], params: h.parseParams(text[at[4]:at[5]], text[at[6]:at[7]]),
			answers: strings.HasPrefix(text[at[2]:at[3]], "aimdb_status_t")}
		if f.answers {
			f.documented = h.parseStatuses(above)
		}
		h.functions = append(h.functions, f)
		h.byName[f.name] = f
	}
}

func (h *header) parseParams(function, list string) []param {
	var params []param
	for _, p := range strings.Split(list, ",") {
		p = strings.TrimSpace(blank.ReplaceAllString(p, " "))
		if p == "void" {
			continue
		}
		cut := strings.LastIndexAny(p, " *") + 1
		params = append(params, param{p[:cut], p[cut:], slices.Contains(nullable[function], p[cut:])})
	}
	return params
}

// parseStatuses reads the list of statuses at the end of a comment.
func (h *header) parseStatuses(comment string) map[Status]bool {
	all := map[Status]bool{OK: true}
	at := table.FindStringIndex(comment)
	if at == nil {
		return all
	}
	list := comment[at[0]:]
	for _, m := range sameAs.FindAllStringSubmatch(list, -1) {
		for s := range h.byName[m[1]].documented {
			all[s] = true
		}
	}
	for _, name := range enumerator.FindAllString(list, -1) {
		if s, ok := statuses[name]; ok {
			all[s] = true
		}
	}
	return all
}
