//! What machines on AWS are made of, and where notices come from.

use std::path::PathBuf;

use super::Tag;

/// What machines on AWS are made of, and where notices come from. Credentials are those of the SDK's default chain: the
/// environment, web identity in a pod, the instance's role.
#[derive(clap::Args, Clone, Debug, Default)]
#[command(next_help_heading = "With --provider aws")]
#[non_exhaustive]
pub struct AwsOptions {
    /// The region; a part of what the record is for
    #[arg(id = "aws-region", long = "aws-region", global = true, env = "AWS_REGION", value_name = "REGION")]
    pub region: Option<String>,

    /// The subnets of machines, by id; their zones are looked up, and are those of the policy
    #[arg(
        id = "aws-subnets",
        long = "aws-subnets",
        global = true,
        env = "AUTOSCALE_AWS_SUBNETS",
        value_name = "IDS",
        value_delimiter = ','
    )]
    pub subnets: Vec<String>,

    /// A launch template and its version, such as `workers:7`; a pool's `template` goes before
    #[arg(
        id = "aws-launch-template",
        long = "aws-launch-template",
        global = true,
        env = "AUTOSCALE_AWS_LAUNCH_TEMPLATE",
        value_name = "TEMPLATE:VERSION"
    )]
    pub launch_template: Option<String>,

    /// Without a launch template: an image, such as `ami-0123456789abcdef0` or `resolve:ssm:/images/worker`
    #[arg(
        id = "aws-image",
        long = "aws-image",
        global = true,
        env = "AUTOSCALE_AWS_IMAGE",
        value_name = "IMAGE"
    )]
    pub image: Option<String>,

    /// Security groups, by id [default: those of the launch template]
    #[arg(
        id = "aws-security-groups",
        long = "aws-security-groups",
        global = true,
        env = "AUTOSCALE_AWS_SECURITY_GROUPS",
        value_name = "IDS",
        value_delimiter = ','
    )]
    pub security_groups: Vec<String>,

    /// The instance profile, by name or ARN [default: that of the launch template]
    #[arg(
        id = "aws-instance-profile",
        long = "aws-instance-profile",
        global = true,
        env = "AUTOSCALE_AWS_INSTANCE_PROFILE",
        value_name = "PROFILE"
    )]
    pub instance_profile: Option<String>,

    /// The name of a key pair
    #[arg(
        id = "aws-key-name",
        long = "aws-key-name",
        global = true,
        env = "AUTOSCALE_AWS_KEY_NAME",
        value_name = "NAME"
    )]
    pub key_name: Option<String>,

    /// A file that is the user data of every machine, as it is: no secrets
    #[arg(
        id = "aws-user-data-file",
        long = "aws-user-data-file",
        global = true,
        env = "AUTOSCALE_AWS_USER_DATA_FILE",
        value_name = "FILE"
    )]
    pub user_data_file: Option<PathBuf>,

    /// The most to pay for spot, in dollars an hour [default: the price on demand]
    #[arg(
        id = "aws-spot-max-price",
        long = "aws-spot-max-price",
        global = true,
        env = "AUTOSCALE_AWS_SPOT_MAX_PRICE",
        value_name = "DOLLARS"
    )]
    pub spot_max_price: Option<String>,

    /// A tag of workers besides ours: machines that carry all of these are counted, whoever made them
    #[arg(
        id = "aws-worker-tag",
        long = "aws-worker-tag",
        global = true,
        env = "AUTOSCALE_AWS_WORKER_TAG",
        value_name = "KEY=VALUE",
        value_delimiter = ','
    )]
    pub worker_tags: Vec<Tag>,

    /// A tag of the control plane: what carries any of these is never touched
    #[arg(
        id = "aws-control-plane-tag",
        long = "aws-control-plane-tag",
        global = true,
        env = "AUTOSCALE_AWS_CONTROL_PLANE_TAG",
        value_name = "KEY=VALUE",
        value_delimiter = ','
    )]
    pub control_plane_tags: Vec<Tag>,

    /// Instances that are never touched, by id
    #[arg(
        id = "aws-control-plane-instances",
        long = "aws-control-plane-instances",
        global = true,
        env = "AUTOSCALE_AWS_CONTROL_PLANE_INSTANCES",
        value_name = "IDS",
        value_delimiter = ','
    )]
    pub control_plane_instances: Vec<String>,

    /// The SQS queue that EventBridge puts interruptions and scheduled changes in
    #[arg(
        id = "notices-queue",
        long = "notices-queue",
        global = true,
        env = "AUTOSCALE_NOTICES_QUEUE",
        value_name = "URL"
    )]
    pub notices_queue: Option<String>,
}
