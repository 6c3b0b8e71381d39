// SPDX-License-Identifier: Apache-2.0

// Command coverage reports what tests/coverage/run.sh has measured: a table by
// file, and each function with lines that no test runs, with the reason that
// docs/coverage.md gives. It fails if one has no reason there, or if one with a
// reason is run through.
package main

import (
	"flag"
	"fmt"
	"log"
	"maps"
	"os"
	"slices"
	"strings"
)

// A function is what has a reason: "capi/pool.c:rest", "core/log.go:logger.write".
type function struct{ file, name string }

func (f function) String() string { return f.file + ":" + f.name }

// A file's counts: how often each of its lines and branches was run.
type file struct {
	lines    map[int]uint64
	of       map[int]string // the line's function
	branches map[branch]uint64
}

type branch struct{ line, number int }

func newFile() *file {
	return &file{make(map[int]uint64), make(map[int]string), make(map[branch]uint64)}
}

// files by name, as in the repository.
type files map[string]*file

func (f files) get(name string) *file {
	if f[name] == nil {
		f[name] = newFile()
	}
	return f[name]
}

func (f *file) add(line int, function string, count uint64) {
	f.lines[line] += count
	f.of[line] = function
}

// missed are the functions with lines that were not run, and these lines.
func (f files) missed() map[function][]int {
	missed := make(map[function][]int)
	for name, file := range f {
		for _, line := range slices.Sorted(maps.Keys(file.lines)) {
			if file.lines[line] == 0 {
				at := function{name, file.of[line]}
				missed[at] = append(missed[at], line)
			}
		}
	}
	return missed
}

func part[K comparable](counts map[K]uint64) (run, all int) {
	for _, count := range counts {
		if count != 0 {
			run++
		}
	}
	return run, len(counts)
}

func percent(run, all int) string {
	if all == 0 {
		return ""
	}
	return fmt.Sprintf("%5.1f %%", 100*float64(run)/float64(all))
}

type sum struct{ lines, allLines, branches, allBranches int }

func (s *sum) add(f *file) {
	lines, allLines := part(f.lines)
	branches, allBranches := part(f.branches)
	s.lines, s.allLines = s.lines+lines, s.allLines+allLines
	s.branches, s.allBranches = s.branches+branches, s.allBranches+allBranches
}

func (s *sum) print(name string) {
	fmt.Printf("%-32s %6d %8s %8s\n", name, s.allLines, percent(s.lines, s.allLines), percent(s.branches, s.allBranches))
}

// table prints a row for each file, and one for each folder.
func (f files) table() {
	fmt.Printf("%-32s %6s %8s %8s\n", "", "lines", "run", "branches")
	folders := make(map[string]*sum)
	for _, name := range slices.Sorted(maps.Keys(f)) {
		top, _, _ := strings.Cut(name, "/")
		if folders[top] == nil {
			folders[top] = new(sum)
		}
		folders[top].add(f[name])
		row := new(sum)
		row.add(f[name])
		row.print(name)
	}
	for _, top := range slices.Sorted(maps.Keys(folders)) {
		folders[top].print(top)
	}
}

// judge prints what is missed, with its reason, and returns how much is wrong.
func judge(missed map[function][]int, reasons map[function]reason, all files) (wrong int) {
	byName := func(a, b function) int { return strings.Compare(a.String(), b.String()) }
	for _, f := range slices.SortedFunc(maps.Keys(missed), byName) {
		r, known := reasons[f]
		if !known {
			r.text = "NO REASON GIVEN"
			wrong++
		}
		fmt.Printf("%s: %s: %s\n", f, ranges(missed[f]), r.text)
	}
	for _, f := range slices.SortedFunc(maps.Keys(reasons), byName) {
		switch {
		case missed[f] != nil:
		case !all.has(f):
			fmt.Printf("%s: has a reason, but is no function\n", f)
			wrong++
		case !reasons[f].byChance:
			fmt.Printf("%s: has a reason, but every line of it is run\n", f)
			wrong++
		}
	}
	return wrong
}

func (f files) has(at function) bool {
	if f[at.file] == nil {
		return false
	}
	for _, name := range f[at.file].of {
		if name == at.name {
			return true
		}
	}
	return false
}

// ranges are sorted lines as "3-5 9".
func ranges(lines []int) string {
	var parts []string
	for i := 0; i < len(lines); {
		last := i
		for last+1 < len(lines) && lines[last+1] == lines[last]+1 {
			last++
		}
		text := fmt.Sprint(lines[i])
		if last > i {
			text += fmt.Sprint("-", lines[last])
		}
		parts = append(parts, text)
		i = last + 1
	}
	return strings.Join(parts, " ")
}

func main() {
	log.SetFlags(0)
	ofC := flag.String("c", "", "gcov's JSON, one object a line")
	ofGo := flag.String("go", "", "a profile of go tool covdata")
	given := flag.String("reasons", "", "the file with the reasons")
	flag.Parse()
	all := make(files)
	for _, err := range []error{all.readC(*ofC), all.readGo(*ofGo)} {
		if err != nil {
			log.Fatal(err)
		}
	}
	reasons, err := readReasons(*given)
	if err != nil {
		log.Fatal(err)
	}
	all.table()
	fmt.Println()
	if wrong := judge(all.missed(), reasons, all); wrong != 0 {
		fmt.Printf("%d wrong: %s\n", wrong, *given)
		os.Exit(1)
	}
}
