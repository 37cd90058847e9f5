# An image with everything that `join.sh` would otherwise download: packer init image.pkr.hcl &&
# packer build -var-file=my.pkrvars.hcl image.pkr.hcl
# No secret and no setting of a cluster is in it.
packer {
  required_version = ">= 1.9.0"
  required_plugins {
    amazon = {
      version = ">= 1.3.0, < 2.0.0"
      source  = "github.com/hashicorp/amazon"
    }
  }
}

variable "region" {
  type = string
}

variable "k3s_version" {
  type        = string
  description = "Such as v1.33.4+k3s1."
  validation {
    condition     = can(regex("^v1\\.[0-9]{1,3}\\.[0-9]{1,3}\\+k3s[0-9]{1,2}$", var.k3s_version))
    error_message = "Expected a version like v1.33.4+k3s1."
  }
}

variable "architecture" {
  type        = string
  default     = "x86_64"
  description = "Of the machines that start from it."
  validation {
    condition     = can(regex("^(x86_64|arm64)$", var.architecture))
    error_message = "Expected x86_64 or arm64."
  }
}

variable "k3s_sha256" {
  type        = string
  description = "Of the file k3s of that version, from sha256sum-amd64.txt beside it; for arm64 of k3s-arm64, from sha256sum-arm64.txt."
  validation {
    condition     = can(regex("^[0-9a-f]{64}$", var.k3s_sha256))
    error_message = "Expected 64 hexadecimal digits."
  }
}

variable "installer_sha256" {
  type        = string
  description = "Of install.sh at the tag of that version."
  validation {
    condition     = can(regex("^[0-9a-f]{64}$", var.installer_sha256))
    error_message = "Expected 64 hexadecimal digits."
  }
}

variable "instance_type" {
  type        = string
  default     = ""
  description = "What it is built on: a small one of the architecture, unless said otherwise."
}

locals {
  tag     = replace(var.k3s_version, "+", "%2B")
  file    = var.architecture == "arm64" ? "k3s-arm64" : "k3s"
  builder = var.architecture == "arm64" ? "t4g.small" : "t3.small"
}

source "amazon-ebs" "node" {
  ami_name      = "k3s-node-${replace(var.k3s_version, "+", "-")}-${var.architecture}-${formatdate("YYYYMMDDhhmmss", timestamp())}"
  instance_type = var.instance_type == "" ? local.builder : var.instance_type
  region        = var.region
  ssh_username  = "ec2-user"
  encrypt_boot  = true
  imds_support  = "v2.0"
  metadata_options {
    http_endpoint               = "enabled"
    http_tokens                 = "required"
    http_put_response_hop_limit = 1
  }
  source_ami_filter {
    filters = {
      name                = "al2023-ami-2023.*-kernel-*-${var.architecture}"
      root-device-type    = "ebs"
      virtualization-type = "hvm"
    }
    most_recent = true
    owners      = ["amazon"]
  }
  launch_block_device_mappings {
    device_name           = "/dev/xvda"
    volume_size           = 20
    volume_type           = "gp3"
    delete_on_termination = true
  }
}

build {
  sources = ["source.amazon-ebs.node"]

  provisioner "shell" {
    environment_vars = [
      "TAG=${local.tag}",
      "FILE=${local.file}",
      "BINARY=${var.k3s_sha256}",
      "INSTALLER=${var.installer_sha256}",
    ]
    inline_shebang = "/bin/bash -euo pipefail"
    inline = [
      "cd \"$(mktemp -d)\"",
      "curl --proto '=https' --tlsv1.2 -fsSL --retry 5 -o k3s \"https://github.com/k3s-io/k3s/releases/download/$TAG/$FILE\"",
      "curl --proto '=https' --tlsv1.2 -fsSL --retry 5 -o install.sh \"https://raw.githubusercontent.com/k3s-io/k3s/$TAG/install.sh\"",
      "printf '%s  k3s\\n%s  install.sh\\n' \"$BINARY\" \"$INSTALLER\" | sha256sum --check --strict",
      "sudo install -D -m 755 k3s /usr/local/bin/k3s",
      "sudo install -D -m 755 install.sh /usr/local/lib/autoscale/install-k3s.sh",
      "command -v python3 aws curl sha256sum systemctl timeout",
    ]
  }
}
