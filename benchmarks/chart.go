package main

import (
	"fmt"
	"html"
	"strings"
)

// The chart is one block of bars for each charted row, the longest bar of a block being as long as there is
// room. Its colors can be read on white and on black.
const (
	chartWidth = 760
	labelWidth = 130
	valueWidth = 90
	barHeight  = 16
	barStep    = 21
	textColor  = "#768390"
	peerColor  = "#8c959f"
	ownColor   = "#2f81f7"
)

// chart draws the charted rows in SVG.
func (r report) chart() string {
	var body strings.Builder
	y := 8
	for _, row := range r.rows {
		if row.charted {
			y = row.bars(&body, y)
		}
	}
	machine, _, _ := strings.Cut(r.machine, "\n")
	y += 14
	label(&body, 0, y, "start", "", machine)
	return fmt.Sprintf(`<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %[1]d %[2]d" `+
		`font-family="sans-serif" font-size="12" fill="%s" role="img">`+"\n<title>%s</title>\n%s</svg>\n",
		chartWidth, y+10, textColor, "Package modelarts beside its peers", body.String())
}

// bars draws a row from y down, and returns where the next one begins.
func (r row) bars(b *strings.Builder, y int) int {
	y += 16
	label(b, 0, y, "start", "bold", r.name)
	y += 8
	largest := 0.0
	for _, value := range r.values {
		largest = max(largest, value)
	}
	for _, name := range columns {
		value, ok := r.values[name]
		if !ok {
			continue
		}
		color := peerColor
		if name == library {
			color = ownColor
		}
		length := max(1, value/largest*(chartWidth-labelWidth-valueWidth))
		label(b, labelWidth-8, y+barHeight-4, "end", "", name)
		fmt.Fprintf(b, `<rect x="%d" y="%d" width="%.1f" height="%d" rx="2" fill="%s"/>`+"\n", labelWidth, y, length, barHeight, color)
		label(b, labelWidth+int(length)+6, y+barHeight-4, "start", "", r.unit(value))
		y += barStep
	}
	return y + 6
}

func label(b *strings.Builder, x, y int, anchor, weight, text string) {
	if weight != "" {
		weight = ` font-weight="` + weight + `"`
	}
	fmt.Fprintf(b, `<text x="%d" y="%d" text-anchor="%s"%s>%s</text>`+"\n", x, y, anchor, weight, html.EscapeString(text))
}
