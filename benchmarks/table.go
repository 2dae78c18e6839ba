package main

import (
	"fmt"
	"math"
	"strings"
	"unicode/utf8"
)

// A row of the table compares one quantity.
type row struct {
	name    string
	unit    unit
	values  values
	targets []target
	charted bool
}

// unit writes a value.
type unit func(value float64) string

// A target is what the library has set itself.
type target struct {
	text    string // with %s for the figure
	figure  func(v values) float64
	limit   float64
	atLeast bool
	unit    unit
}

func (t target) String(v values) string {
	figure := t.figure(v)
	met := figure <= t.limit
	sign := "≤"
	if t.atLeast {
		met, sign = figure >= t.limit, "≥"
	}
	word := "met"
	if !met {
		word = "missed"
	}
	return fmt.Sprintf(t.text, sign+" "+t.unit(t.limit)) + ": " + t.unit(figure) + ", " + word
}

// atMost bounds the library's value itself.
func atMost(limit float64, u unit) target {
	return target{text: "%s", figure: func(v values) float64 { return v[library] }, limit: limit, unit: u}
}

// atMostTimes bounds the library's value by a peer's.
func atMostTimes(limit float64, peer string) target {
	return target{text: "%s × " + peer, figure: func(v values) float64 { return v[library] / v[peer] }, limit: limit, unit: ratio}
}

// atLeastTimes wants a value that is to be large to be that many times a peer's.
func atLeastTimes(limit float64, peer string) target {
	t := atMostTimes(limit, peer)
	t.atLeast = true
	return t
}

// faster wants a value that is to be small to be a fraction of a peer's.
func faster(limit float64, peer string) target {
	return target{
		text: "%s × faster than " + peer, figure: func(v values) float64 { return v[peer] / v[library] },
		limit: limit, atLeast: true, unit: ratio,
	}
}

// atMostMore bounds what the library's value has over a peer's.
func atMostMore(limit float64, peer string) target {
	return target{text: "%s more than " + peer, figure: func(v values) float64 { return v[library] - v[peer] }, limit: limit, unit: count}
}

// A report is what a run has found.
type report struct {
	machine string
	quick   bool
	rows    []row
}

const legend = "Medians of interleaved rounds. In brackets: how many times the value of this package."

func (r report) head() string {
	head := r.machine
	if r.quick {
		head += "\nA quick run: the figures mean little."
	}
	return head + "\n" + legend
}

// cells returns the table with its head, without the columns that are empty.
func (r report) cells() [][]string {
	head := []string{""}
	var used []string
	for _, name := range columns {
		for _, row := range r.rows {
			if _, ok := row.values[name]; ok {
				used = append(used, name)
				break
			}
		}
	}
	table := [][]string{append(append(head, used...), "target")}
	for _, row := range r.rows {
		line := []string{row.name}
		for _, name := range used {
			line = append(line, row.cell(name))
		}
		var targets []string
		for _, t := range row.targets {
			targets = append(targets, t.String(row.values))
		}
		table = append(table, append(line, strings.Join(targets, "; ")))
	}
	return table
}

func (r row) cell(name string) string {
	value, ok := r.values[name]
	if !ok {
		return ""
	}
	text := r.unit(value)
	if own := r.values[library]; name != library && own > 0 {
		text += " (" + ratio(value/own) + ")"
	}
	return text
}

// text is the table for a terminal.
func (r report) text() string {
	table := r.cells()
	widths := make([]int, len(table[0]))
	for _, line := range table {
		for i, cell := range line {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	var b strings.Builder
	b.WriteString(r.head() + "\n\n")
	for _, line := range table {
		var padded strings.Builder
		for i, cell := range line {
			padded.WriteString(cell + strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell)+2))
		}
		b.WriteString(strings.TrimRight(padded.String(), " ") + "\n")
	}
	return b.String()
}

// markdown is the same table for a page.
func (r report) markdown() string {
	var b strings.Builder
	b.WriteString(strings.ReplaceAll(r.head(), "\n", "\n\n") + "\n\n")
	for i, line := range r.cells() {
		b.WriteString("| " + strings.Join(line, " | ") + " |\n")
		if i == 0 {
			b.WriteString("|---" + strings.Repeat("|---:", len(line)-2) + "|---|\n")
		}
	}
	return b.String()
}

func ratio(value float64) string { return fmt.Sprintf("%.2f", value) }

func count(value float64) string {
	if value < 10 && math.Abs(value-math.Round(value)) > 0.05 {
		return fmt.Sprintf("%.1f", value)
	}
	return fmt.Sprintf("%.0f", value)
}

func duration(ns float64) string { return scaled(ns, 1000, "ns", "µs", "ms", "s") }

func bytes(n float64) string { return scaled(n, 1000, "B", "KB", "MB") }

// scaled writes a value with three digits in the unit that fits.
func scaled(value, step float64, units ...string) string {
	i := 0
	for i < len(units)-1 && math.Abs(value) >= step {
		value /= step
		i++
	}
	digits := 0
	if i > 0 && math.Abs(value) < 100 {
		digits = 1
	}
	if i > 0 && math.Abs(value) < 10 {
		digits = 2
	}
	return fmt.Sprintf("%.*f %s", digits, value, units[i])
}
