package modelarts

import (
	"errors"
	"fmt"
	"strings"
)

// EndpointForRegion returns the ModelArts endpoint of a region, such as
// "https://modelarts.cn-north-4.myhuaweicloud.com" for "cn-north-4".
//
// Regions of irregular clouds come from a table; every other well-formed name gets the pattern of Huawei
// Cloud, without a check that the region exists. The hosts of eu-west-101, eu-west-0, eu-ch2 and eu-nl are
// derived from those clouds' other services and were not seen in documentation. A private cloud needs its
// endpoint spelled out.
func EndpointForRegion(region string) (string, error) {
	domain, err := domainOf(region)
	if err != nil {
		return "", err
	}
	if region == "ap-southeast-1" {
		domain = "myhuaweicloud.cn" // the only one, by the official SDK's table
	}
	return "https://modelarts." + region + "." + domain, nil
}

// IAMEndpointForRegion returns the IAM endpoint of a region, such as
// "https://iam.cn-north-4.myhuaweicloud.com". Tokens and temporary keys from it are good in that region
// only. For regions without an IAM host of their own it is the global one, as in the official SDK.
func IAMEndpointForRegion(region string) (string, error) {
	domain, err := domainOf(region)
	if err != nil {
		return "", err
	}
	switch region {
	case "cn-north-11", "cn-southwest-3", "af-north-1":
		return "https://iam.myhuaweicloud.com", nil
	case "eu-ch2":
		return "https://iam-pub." + region + "." + domain, nil
	}
	return "https://iam." + region + "." + domain, nil
}

// domainOf returns the domain of the cloud that a region is in. The name becomes a part of a host, so that
// anything but letters, digits and single dashes is refused.
func domainOf(region string) (string, error) {
	if region == "" {
		return "", errors.New("modelarts: the region is empty")
	}
	for part := range strings.SplitSeq(region, "-") {
		if part == "" || strings.Trim(part, "abcdefghijklmnopqrstuvwxyz0123456789") != "" || len(region) > 63 {
			return "", fmt.Errorf("modelarts: %s is not the name of a region, such as \"cn-north-4\"; for a private cloud give its endpoint", quote(region))
		}
	}
	switch {
	case region == "eu-de" || region == "eu-nl":
		return "otc.t-systems.com", nil
	case region == "eu-ch2":
		return "sc.otc.t-systems.com", nil
	case region == "eu-west-0":
		return "prod-cloud-ocb.orange-business.com", nil
	case strings.HasPrefix(region, "eu-west-1"):
		return "myhuaweicloud.eu", nil
	}
	return "myhuaweicloud.com", nil
}
