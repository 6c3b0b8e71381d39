// SPDX-License-Identifier: Apache-2.0

package models

// The axiomatic model of Armv8 for small programs, after the Arm Architecture
// Reference Manual for A-profile, B2.3, and its executable form, aarch64.cat of
// herdtools7. Covered are reads and writes of whole locations, acquire and
// release, barriers, and read-modify-writes both as one instruction (Armv8.1)
// and as an exclusive pair (Armv8.0). An execution is allowed if
//
//   - internal: po-loc | rf | co | fr is acyclic;
//   - external: obs | lob is acyclic, with obs = rfe | coe | fre;
//   - atomic: no other write comes between the two halves of a read-modify-write.
//
// Left out of lob is what no program here has (dependencies into addresses,
// LDAPR, other kinds of barrier). That allows more executions, never fewer: what
// is found sound is.

// An Access is an event of a thread, in program order.
type Access struct {
	kind             accessKind
	loc              string
	value            int // written; read: what it must read, or wild
	acquire, release bool
	pair             pairing // of a write: with the read just before it
}

type accessKind int

const (
	read accessKind = iota
	write
	barrier
)

type pairing int

const (
	alone     pairing = iota
	single            // one instruction of Armv8.1, CASAL and its like
	exclusive         // LDAXR and STLXR
)

const wild = -1 << 31

func load(loc string) Access             { return Access{kind: read, loc: loc, value: wild} }
func ldar(loc string) Access             { return Access{kind: read, loc: loc, value: wild, acquire: true} }
func ldarOf(loc string, v int) Access    { return Access{kind: read, loc: loc, value: v, acquire: true} }
func store(loc string, value int) Access { return Access{kind: write, loc: loc, value: value} }
func stlr(loc string, value int) Access {
	return Access{kind: write, loc: loc, value: value, release: true}
}

// dmb is a full barrier.
func dmb() Access { return Access{kind: barrier} }

// An rmw makes the two halves of an atomic that reads from and writes to.
type rmw func(loc string, from, to int) []Access

func modify(p pairing, acquire, release bool) rmw {
	return func(loc string, from, to int) []Access {
		return []Access{{kind: read, loc: loc, value: from, acquire: acquire},
			{kind: write, loc: loc, value: to, release: release, pair: p}}
	}
}

// thread puts accesses one after another.
func thread(parts ...any) (all []Access) {
	for _, p := range parts {
		switch p := p.(type) {
		case Access:
			all = append(all, p)
		case []Access:
			all = append(all, p...)
		}
	}
	return all
}

// An Outcome is what the loads of an execution saw: by thread, in order, without
// barriers and writes.
type Outcome [][]int

// A program is threads over locations that hold start, or 0.
type program struct {
	start   map[string]int
	threads [][]Access
}

type node struct {
	Access
	thread, index int
}

// execution is a candidate while it is built.
type execution struct {
	nodes  []node
	reads  []int
	writes map[string][]int // by location, the initial one first
	from   []int            // reads-from, by node
	order  []int            // place in the coherence order of the location
	fixed  [][2]int         // lob that every execution has
	seen   func(Outcome) bool
	count  int // threads
}

// allows reports whether some allowed execution has an outcome.
func (p program) allows(outcome func(Outcome) bool) bool {
	x := &execution{writes: map[string][]int{}, seen: outcome, count: len(p.threads)}
	for _, t := range p.threads {
		for _, a := range t {
			if a.kind != barrier && x.writes[a.loc] == nil {
				x.writes[a.loc] = []int{len(x.nodes)}
				x.nodes = append(x.nodes, node{Access{kind: write, loc: a.loc, value: p.start[a.loc]}, -1, 0})
			}
		}
	}
	for t, accesses := range p.threads {
		for i, a := range accesses {
			id := len(x.nodes)
			x.nodes = append(x.nodes, node{a, t, i})
			switch a.kind {
			case read:
				x.reads = append(x.reads, id)
			case write:
				x.writes[a.loc] = append(x.writes[a.loc], id)
			}
		}
	}
	x.from, x.order = make([]int, len(x.nodes)), make([]int, len(x.nodes))
	x.locallyOrdered()
	var locations []string
	for loc := range x.writes {
		locations = append(locations, loc)
	}
	return x.orders(locations)
}

func (x *execution) before(a, b int) bool {
	return x.nodes[a].thread >= 0 && x.nodes[a].thread == x.nodes[b].thread && x.nodes[a].index < x.nodes[b].index
}

// locallyOrdered collects lob, but for what depends on rf.
func (x *execution) locallyOrdered() {
	for a := range x.nodes {
		for b := range x.nodes {
			if !x.before(a, b) || x.nodes[a].kind == barrier || x.nodes[b].kind == barrier {
				continue
			}
			if x.lob(a, b) {
				x.fixed = append(x.fixed, [2]int{a, b})
			}
		}
	}
}

func (x *execution) lob(a, b int) bool {
	e, f := x.nodes[a], x.nodes[b]
	switch {
	case e.acquire && e.kind == read, f.release && f.kind == write: // [A];po and po;[L]
		return true
	case e.release && e.kind == write && f.acquire && f.kind == read: // [L];po;[A]
		return true
	case f.kind == write && e.loc == f.loc: // lws
		return true
	case f.pair != alone && f.index == e.index+1: // rmw
		return true
	case e.pair == single && e.release && x.nodes[a-1].acquire: // [range([A];amo;[L])];po
		return true
	}
	for c := range x.nodes {
		if x.nodes[c].kind == barrier && x.before(a, c) && x.before(c, b) {
			return true
		}
	}
	return false
}

// orders tries every coherence order, then every reads-from.
func (x *execution) orders(locations []string) bool {
	if len(locations) == 0 {
		return x.readsFrom(0)
	}
	w := x.writes[locations[0]]
	var permute func(k int) bool
	permute = func(k int) bool {
		if k == len(w) {
			for place, id := range w {
				x.order[id] = place
			}
			return x.orders(locations[1:])
		}
		for i := k; i < len(w); i++ {
			w[k], w[i] = w[i], w[k]
			if x.placeable(w[:k+1]) && permute(k+1) {
				return true
			}
			w[k], w[i] = w[i], w[k]
		}
		return false
	}
	return permute(1) // the initial write is first
}

// placeable: a thread's own writes are in program order.
func (x *execution) placeable(w []int) bool {
	last := w[len(w)-1]
	for _, id := range w[:len(w)-1] {
		if x.before(last, id) {
			return false
		}
	}
	return true
}

func (x *execution) readsFrom(n int) bool {
	if n == len(x.reads) {
		return x.atomic() && x.seen(x.outcome()) && x.consistent()
	}
	r := x.reads[n]
	for _, w := range x.writes[x.nodes[r].loc] {
		if want := x.nodes[r].value; want != wild && want != x.nodes[w].value {
			continue
		}
		x.from[r] = w
		if x.readsFrom(n + 1) {
			return true
		}
	}
	return false
}

func (x *execution) outcome() Outcome {
	o := make(Outcome, x.count)
	for _, r := range x.reads {
		t := x.nodes[r].thread
		o[t] = append(o[t], x.nodes[x.from[r]].value)
	}
	return o
}

func (x *execution) atomic() bool {
	for id, e := range x.nodes {
		if e.pair != alone && x.order[x.from[id-1]] != x.order[id]-1 {
			return false
		}
	}
	return true
}

// consistent checks the axioms internal and external.
func (x *execution) consistent() bool {
	internal, external := [][2]int{}, append([][2]int{}, x.fixed...)
	for a := range x.nodes {
		for b := range x.nodes {
			if a == b || x.nodes[a].kind == barrier || x.nodes[b].kind == barrier || x.nodes[a].loc != x.nodes[b].loc {
				continue
			}
			communicates := x.communicates(a, b)
			if communicates || x.before(a, b) {
				internal = append(internal, [2]int{a, b})
			}
			if communicates && x.nodes[a].thread != x.nodes[b].thread {
				external = append(external, [2]int{a, b})
			}
		}
	}
	for _, r := range x.reads { // [range(rmw)];rfi;[A]
		w := x.from[r]
		if x.nodes[r].acquire && x.nodes[w].pair != alone && x.nodes[w].thread == x.nodes[r].thread {
			external = append(external, [2]int{w, r})
		}
	}
	return acyclic(len(x.nodes), internal) && acyclic(len(x.nodes), external)
}

// communicates: rf, co or fr.
func (x *execution) communicates(a, b int) bool {
	switch reads, readsToo := x.nodes[a].kind == read, x.nodes[b].kind == read; {
	case reads && readsToo:
		return false
	case reads:
		return x.order[x.from[a]] < x.order[b]
	case readsToo:
		return x.from[b] == a
	}
	return x.order[a] < x.order[b]
}

func acyclic(n int, edges [][2]int) bool {
	next, into := make([][]int, n), make([]int, n)
	for _, e := range edges {
		next[e[0]] = append(next[e[0]], e[1])
		into[e[1]]++
	}
	var ready []int
	for i := range n {
		if into[i] == 0 {
			ready = append(ready, i)
		}
	}
	done := 0
	for ; len(ready) > 0; done++ {
		i := ready[len(ready)-1]
		ready = ready[:len(ready)-1]
		for _, j := range next[i] {
			if into[j]--; into[j] == 0 {
				ready = append(ready, j)
			}
		}
	}
	return done == n
}
