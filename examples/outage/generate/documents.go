package main

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/launchdarkly/go-sdk-common/v3/ldvalue"
)

// priceList returns a JSON document with a price per article and country.
func priceList(edition int) string {
	countries := []string{"AT", "BE", "BR", "CH", "DE", "ES", "FR", "IT", "JP", "MX", "NL", "PL", "SE", "US"}
	list := ldvalue.ObjectBuild().SetInt("edition", edition)
	for article := range 60 {
		prices := ldvalue.ObjectBuild()
		for i, country := range countries {
			cents := 499 + article*137 + i*25*edition
			prices.SetFloat64(country, float64(cents)/100)
		}
		list.Set(fmt.Sprintf("A-%04d", 1000+article*7), prices.Build())
	}
	return list.Build().JSONString()
}

// planTable returns a JSON document that describes the plans on sale.
func planTable(annual bool) string {
	plans := ldvalue.ArrayBuild()
	for i, name := range []string{"free", "starter", "pro", "enterprise"} {
		plan := ldvalue.ObjectBuild().SetString("plan", name).SetInt("seats", 1+i*i*12).SetFloat64("monthly", float64(i)*24.5)
		if annual {
			plan.SetFloat64("yearly", float64(i)*245)
		}
		plans.Add(plan.Build())
	}
	return ldvalue.ObjectBuild().Set("plans", plans.Build()).SetBool("annual", annual).Build().JSONString()
}

// synonyms returns a JSON document with so many groups of search terms.
func synonyms(groups int) string {
	things := []string{"sofa", "lamp", "shelf", "chair", "table", "rug", "bed", "desk", "mirror", "vase"}
	others := []string{"couch", "light", "rack", "seat", "board", "carpet", "bunk", "bureau", "glass", "jar"}
	styles := []string{"oak", "steel", "linen", "velvet", "rattan", "marble", "cork", "wool"}
	terms := ldvalue.ObjectBuild()
	for i := range groups {
		style, size := styles[i%len(styles)], i/len(styles)
		term := strings.Join([]string{style, things[i%len(things)], strconv.Itoa(size)}, " ")
		terms.Set(term, ldvalue.ArrayOf(ldvalue.String(style+" "+others[i%len(others)]), ldvalue.String(others[i%len(others)])))
	}
	return terms.Build().JSONString()
}
