# An image of Ubuntu on x86_64 with what `join.sh` needs for a cluster of kubeadm, and the script itself: packer init image.pkr.hcl &&
# packer build -var-file=my.pkrvars.hcl image.pkr.hcl in this folder. No secret and no setting of a cluster is in it.
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

variable "kubernetes" {
  type        = string
  description = "Such as v1.33.4."
  validation {
    condition     = can(regex("^v1\\.[0-9]{1,3}\\.[0-9]{1,3}$", var.kubernetes))
    error_message = "Expected a version like v1.33.4."
  }
}

variable "sha256" {
  type        = map(string)
  description = "The digests of kubeadm, kubelet and kubectl, as published beside the files with .sha256 at the end."
}

variable "aws_cli" {
  type        = string
  description = "The version of the AWS command line, such as 2.31.9: Ubuntu has no package of it, and machines read the join token by it."
  validation {
    condition     = can(regex("^2\\.[0-9]{1,3}\\.[0-9]{1,3}$", var.aws_cli))
    error_message = "Expected a version like 2.31.9."
  }
}

variable "aws_cli_sha256" {
  type        = string
  description = "Of its archive. AWS publishes a signature beside it (.sig): check that, then take the digest of what you have checked."
  validation {
    condition     = can(regex("^[0-9a-f]{64}$", var.aws_cli_sha256))
    error_message = "Expected 64 hexadecimal digits."
  }
}

variable "instance_type" {
  type    = string
  default = "t3.small"
}

source "amazon-ebs" "node" {
  ami_name      = "kubeadm-node-${var.kubernetes}-${formatdate("YYYYMMDDhhmmss", timestamp())}"
  instance_type = var.instance_type
  region        = var.region
  ssh_username  = "ubuntu"
  encrypt_boot  = true
  imds_support  = "v2.0"
  metadata_options {
    http_endpoint               = "enabled"
    http_tokens                 = "required"
    http_put_response_hop_limit = 1
  }
  source_ami_filter {
    filters = {
      name                = "ubuntu/images/hvm-ssd-gp3/ubuntu-noble-24.04-amd64-server-*"
      root-device-type    = "ebs"
      virtualization-type = "hvm"
    }
    most_recent = true
    # Canonical.
    owners = ["099720109477"]
  }
  launch_block_device_mappings {
    device_name           = "/dev/sda1"
    volume_size           = 20
    volume_type           = "gp3"
    delete_on_termination = true
  }
}

build {
  sources = ["source.amazon-ebs.node"]

  # Until then the machine's own start has apt locked.
  provisioner "shell" {
    inline = ["cloud-init status --wait"]
  }

  provisioner "file" {
    source      = "${path.root}/../join.sh"
    destination = "/home/ubuntu/join.sh"
  }

  # That of Azure's image: it is the same system.
  provisioner "shell" {
    script          = "${path.root}/../../../controller/bootstrap/install.sh"
    execute_command = "sudo env {{ .Vars }} bash '{{ .Path }}'"
    environment_vars = [
      "JOIN=/home/ubuntu/join.sh",
      "DISTRIBUTION=kubeadm",
      "KUBERNETES=${var.kubernetes}",
      "DIGESTS=${join(" ", [for name, digest in var.sha256 : "${name}=${digest}"])}",
    ]
  }

  provisioner "shell" {
    environment_vars = [
      "CLI=${var.aws_cli}",
      "DIGEST=${var.aws_cli_sha256}",
    ]
    inline_shebang = "/bin/bash -euo pipefail"
    inline = [
      "cd \"$(mktemp -d)\"",
      "curl --proto '=https' --tlsv1.2 -fsSL --retry 5 -o aws.zip \"https://awscli.amazonaws.com/awscli-exe-linux-x86_64-$CLI.zip\"",
      "printf '%s  aws.zip\\n' \"$DIGEST\" | sha256sum --check --strict",
      "sudo apt-get -q install -y --no-install-recommends unzip",
      "unzip -q aws.zip",
      "sudo ./aws/install",
      "rm /home/ubuntu/join.sh",
      "command -v python3 aws curl sha256sum systemctl timeout kubeadm kubectl kubelet containerd",
    ]
  }
}
