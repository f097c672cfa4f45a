"""A value for each detector of credentials, built from what its issuer documents: prefix, alphabet, length, check sum.

PREFIXED are recognisable by themselves; NAMED only beside a name (the words from which names in code and in prose are
made); TEXTS are whole pieces of text with the value marked by « and ».
"""

import json

import alphabets as a
import checksums as c
from alphabets import BASE32, BASE36, BASE36_UPPER, BASE62, BASE64, BASE64URL, DIGITS, HEX, LOWER, UPPER

PREFIXED = {}
NAMED = {}
TEXTS = {}


def _build(r, parts):
    out = []
    for part in parts:
        if isinstance(part, str):
            out.append(part)
        elif callable(part):
            out.append(part(r))
        elif isinstance(part, list):
            out.append(_build(r, [r.choice(part)]))
        else:
            out.append(a.text(r, *part))
    return "".join(out)


def prefixed(detector, *parts):
    PREFIXED[detector] = lambda r: _build(r, parts)


def named(detector, names, *parts):
    """`names`: word lists such as "datadog api key", separated by |."""
    NAMED[detector] = ([n.split() for n in names.split("|")], lambda r: _build(r, parts))


def texts(detector):
    def register(function):
        TEXTS[detector] = function
        return function
    return register


U = a.uuid

# --- clouds and infrastructure
prefixed("aws_access_key_id", ["AKIA", "ASIA", "ABIA"], (BASE32, 16))
named("aws_secret_access_key", "aws secret access key|aws secret key", (BASE64, 40))
prefixed("aws_session_token", "IQoJb3JpZ2luX2VjE", (BASE64, (300, 420)), ["=", "==", ""])
prefixed("aws_bedrock_api_key", lambda r: "ABSK" + c.b64(b"BedrockAPIKey-" + a.text(r, BASE36, 4).encode() + b"-at-" + a.digits(r, 12).encode() + b":" + a.random_bytes(r, 44)))
prefixed("aws_bedrock_short_term_key", lambda r: "bedrock-api-key-" + c.b64(("bedrock.amazonaws.com/?Action=CallWithBearerToken&X-Amz-Credential=ASIA" + a.text(r, BASE32, 16) + "%2F20260311&X-Amz-Signature=" + a.text(r, HEX, 64)).encode()))
prefixed("aws_mws_token", "amzn.mws.", U)
prefixed("aws_appsync_api_key", "da2-", (BASE36, 26))
prefixed("gcp_api_key", "AIzaSy", (BASE64URL, 33))
prefixed("gcp_authorization_key", "AQ.Ab8RN6", (BASE64URL, 44))
prefixed("gcp_oauth_client_secret", "GOCSPX-", (BASE64URL, 28))
prefixed("gcp_oauth_access_token", "ya29.a0", (BASE64URL, (120, 200)))
prefixed("gcp_oauth_refresh_token", "1//0", (BASE64URL, (98, 100)))
prefixed("gcp_hmac_access_id", "GOOG1E", (BASE32, 55))
prefixed("firebase_messaging_key", "AAAA", (BASE64URL, 7), ":APA91b", (BASE64URL, 134))
named("azure_account_key", "account key|azure storage account key|cosmos db primary key|storage access key", lambda r: c.b64(a.random_bytes(r, 64)))
named("azure_devops_token", "azure devops ext pat|azure devops pat|azp token|vsts token", lambda r: a.text(r, LOWER + "234567", 52) if r.random() < .5 else a.text(r, BASE62, 76) + "AZDO" + a.text(r, BASE62, 4))
named("azure_openai_key", "azure openai api key|azure openai key|azure openai", lambda r: a.text(r, HEX, 32) if r.random() < .5 else a.text(r, BASE62, 52) + "JQQJ99" + a.text(r, BASE62, 26))
named("azure_function_key", "x functions key|function key", (BASE64URL, 44), "AzFu", (BASE64URL, 5), ["A", "Q", "g", "w"], "==")
named("azure_search_key", "search admin key|azure search api key|search key", (BASE62, 42), "AzSe", ["A", "B", "C", "D"], (BASE62, 5))
named("azure_container_registry_password", "acr password|registry password|docker password", (BASE64, 42), "+ACR", ["A", "B", "C", "D"], (BASE62, 5))
named("azure_redis_key", "redis password|redis key|azure cache key", (BASE62, 33), "AzCa", ["A", "B", "P"], (BASE62, 5), "=")
prefixed("azure_client_secret", (BASE62, 3), (DIGITS, 1), "Q~", (BASE62 + "_~.-", 33), (BASE62, 1))
prefixed("digitalocean_token", "dop_v1_", (HEX, 64))
prefixed("digitalocean_oauth_token", "doo_v1_", (HEX, 64))
prefixed("digitalocean_refresh_token", "dor_v1_", (HEX, 64))
named("digitalocean_spaces_secret", "spaces secret key|do spaces secret|spaces secret", (BASE64, 43))
prefixed("alibaba_access_key_id", "LTAI5t", (BASE62, 18))
named("alibaba_secret_key", "alibaba cloud access key secret|aliyun access key secret|alicloud secret key|oss secret", (BASE62, 30))
prefixed("tencent_secret_id", "AKID", (BASE62, 32))
named("tencent_secret_key", "tencentcloud secret key|tencent secret key|qcloud secret key", (BASE62, 32))
named("ibm_cloud_api_key", "ibm cloud api key|ibmcloud api key|iam api key|watson api key", (BASE64URL, 44))
prefixed("scaleway_access_key", "SCW", (BASE36_UPPER, 17))
named("scaleway_secret_key", "scaleway secret key|scw secret key", U)
named("hetzner_token", "hcloud token|hetzner api token|hetzner cloud token", (BASE62, 64))
named("linode_token", "linode token|linode api token|linode cli token", (HEX, 64))
named("vultr_api_key", "vultr api key", (BASE32, 36))
named("ovh_application_secret", "ovh application secret|ovh consumer key", (BASE62, 32))
prefixed("heroku_api_key", "HRKU-AA", (BASE64URL, 58))
named("heroku_legacy_api_key", "heroku api key|heroku api token", U)
prefixed("fly_access_token", "fm2_", (BASE64, (160, 300)), ["", "=", "=="])
prefixed("fly_legacy_token", "fo1_", (BASE64URL, 43))
prefixed("vercel_token", ["vcp_", "vck_", "vca_"], (BASE62, 56))
named("vercel_legacy_token", "vercel token|vercel api token|vercel auth token", (BASE62, 24))
prefixed("netlify_token", "nfp_", (BASE62, 36))
named("netlify_legacy_token", "netlify auth token|netlify access token|netlify token", (BASE64URL, 43))
prefixed("cloudflare_user_token", "cfut_", (BASE62, 40), (HEX, 8))
prefixed("cloudflare_account_token", "cfat_", (BASE62, 40), (HEX, 8))
prefixed("cloudflare_global_key", "cfk_", (BASE62, 40), (HEX, 8))
named("cloudflare_legacy_key", "cloudflare api key|cf api key|x auth key|cloudflare global api key", (HEX, 37))
named("cloudflare_legacy_token", "cloudflare api token|cf api token|cloudflare token", (BASE64URL, 40))
prefixed("cloudflare_origin_ca_key", "v1.0-", (HEX, 24), "-", (HEX, 146))
named("railway_token", "railway token|railway api token", U)
prefixed("render_api_key", "rnd_", (BASE62, 28))
prefixed("pulumi_access_token", "pul-", (HEX, 40))
prefixed("terraform_cloud_token", (BASE62, 14), ".atlasv1.", (BASE62, 67))
prefixed("vault_service_token", "hvs.CAES", (BASE64URL, 91))
prefixed("vault_batch_token", "hvb.AAAAAQ", (BASE64URL, (132, 160)))
prefixed("vault_recovery_token", "hvr.CAES", (BASE64URL, 40))
named("vault_legacy_token", "vault token|x vault token", "s.", (BASE62, 24))
named("consul_token", "consul http token|consul token|nomad token|x consul token", U)
prefixed("doppler_token", "dp.", ["pt", "ct", "sa", "scim", "audit"], ".", (BASE62, 43))
prefixed("doppler_service_token", "dp.st.", ["", "dev.", "prd.", "stg_eu."], (BASE62, 43))
prefixed("infisical_service_token", "st.", (HEX, 24), ".", (HEX, 32), ".", (HEX, 32))
prefixed("onepassword_service_account", lambda r: "ops_" + c.b64url(json.dumps({"signInAddress": "acme.1password.com", "userAuth": {"method": "SRPg-4096", "alg": "PBES2g-HS256", "iterations": 650000, "salt": a.text(r, BASE64URL, 22)}, "email": a.text(r, BASE36, 13) + "@1passwordserviceaccounts.com", "srpX": a.text(r, HEX, 64), "muk": {"alg": "A256GCM", "k": a.text(r, BASE64URL, 43)}, "secretKey": "A3-" + a.text(r, BASE32, 6)}).encode()))
prefixed("onepassword_secret_key", lambda r: "A3-" + "-".join(a.text(r, "ABCDEFGHJKLMNPQRSTVWXYZ23456789", n) for n in (6, 6, 5, 5, 5, 5)))
prefixed("bitwarden_access_token", "0.", U, ".", (BASE62, 30), ":", lambda r: c.b64(a.random_bytes(r, 16)))
named("okta_api_token", "okta api token|okta token|okta client token", "00", (BASE64URL, 40))
named("auth0_client_secret", "auth0 client secret|auth0 secret", (BASE64URL, 64))
prefixed("tailscale_key", "tskey-", ["auth", "api", "client"], "-k", (BASE62, 10), "CNTRL-", (BASE62, (21, 33)))
named("ngrok_authtoken", "ngrok authtoken|ngrok auth token", "2", (BASE62, 26), "_", (BASE62, 21))
prefixed("supabase_access_token", "sbp_", (HEX, 40))
prefixed("supabase_secret_key", "sb_secret_", (BASE64URL, 22), "_", (BASE64URL, 8))
prefixed("planetscale_token", "pscale_tkn_", (BASE64URL, 43))
prefixed("planetscale_password", "pscale_pw_", (BASE64URL, 43))
prefixed("planetscale_oauth_token", "pscale_oauth_", (BASE64URL, 43))
prefixed("neon_api_key", "napi_", (BASE36, 64))
prefixed("mongodb_atlas_service_secret", "mdb_sa_sk_", (BASE64URL, 40))
named("mongodb_atlas_api_key", "atlas private key|mongodb atlas private key|mcli private api key", U)
prefixed("clickhouse_cloud_key", "4b1d", (BASE62, 38))
named("snowflake_token", "snowflake token|snowflake password|snowflake pat", (BASE64URL, (120, 200)))
prefixed("databricks_token", "dapi", (HEX, 32), ["", "-2", "-3"])
prefixed("databricks_oauth_secret", "dose", (HEX, 32))
named("confluent_secret", "confluent api secret|confluent cloud secret|sasl password", (BASE64, 64))
prefixed("akamai_client_secret", "akab-", (BASE36, 16), "-", (BASE36, 16))
named("fastly_api_token", "fastly api token|fastly api key|fastly key", (BASE64URL, 32))
named("backblaze_application_key", "b2 application key|backblaze application key", "K00", (DIGITS, 1), (BASE64, 27))

# --- source control and continuous integration


def crc_suffixed(prefix, size):
    def make(r):
        body = a.text(r, BASE62, size)
        return prefix + body + c.base62(c.crc32(body), 6)
    return make


for _detector, _prefix in {"github_token": "ghp_", "github_oauth_token": "gho_", "github_user_token": "ghu_",
                           "github_server_token": "ghs_", "npm_token": "npm_"}.items():
    prefixed(_detector, crc_suffixed(_prefix, 30))
prefixed("github_refresh_token", crc_suffixed("ghr_", 70))
prefixed("github_fine_grained_token", "github_pat_11", (BASE32, 7), "0", (BASE62, 12), "_", (BASE62, 59))
prefixed("gitlab_token", lambda r: "glpat-" + a.text(r, BASE64URL, 20) if r.random() < .6 else "glpat-" + a.text(r, BASE64URL, 27) + ".01." + a.text(r, BASE36, 9))
for _detector, _prefix in {"gitlab_deploy_token": "gldt-", "gitlab_feed_token": "glft-", "gitlab_scim_token": "glsoat-",
                           "gitlab_feature_flag_token": "glffct-", "gitlab_runner_registration": "GR1348941"}.items():
    prefixed(_detector, _prefix, (BASE64URL, 20))
prefixed("gitlab_runner_token", lambda r: "glrt-" + r.choice(["", "t1_", "t3_"]) + a.text(r, BASE64URL, 20) if r.random() < .6 else "glrt-t1_" + a.text(r, BASE64URL, 27) + ".01." + a.text(r, BASE36, 9))
prefixed("gitlab_job_token", "glcbt-", (HEX, 2), "_", (BASE64URL, 20))
prefixed("gitlab_trigger_token", "glptt-", (HEX, 40))
prefixed("gitlab_incoming_mail_token", "glimt-", (BASE36, 25))
prefixed("gitlab_agent_token", "glagent-", (BASE64URL, 50))
prefixed("gitlab_oauth_secret", "gloas-", (HEX, 64))
prefixed("bitbucket_app_password", "ATBB", (BASE62, 24), (HEX.upper(), 8))


def atlassian(prefix, size):
    def make(r):
        body = prefix + a.text(r, BASE64URL, size) + "="
        return body + "%08X" % c.crc32(body)
    return make


prefixed("atlassian_api_token", atlassian("ATATT3xFfGF0", 171))
prefixed("bitbucket_access_token", atlassian("ATCTT3xFfGN0", 171))
named("bitbucket_oauth_secret", "bitbucket client secret|bitbucket oauth secret|bitbucket secret", (BASE62, 32))
named("gitea_token", "gitea token|gitea access token|forgejo token|codeberg token", (HEX, 40))
prefixed("sourcegraph_token", "sgp_", (HEX, 16), "_", (HEX, 40))
prefixed("circleci_token", "CCIPAT_", (BASE62, 22), "_", (HEX, 40))
prefixed("circleci_project_token", "CCIPRJ_", (BASE62, 22), "_", (HEX, 40))
prefixed("buildkite_token", "bkua_", (HEX, 40))
prefixed("buildkite_agent_token", "bkct_", (BASE62, 54))
named("travis_token", "travis api token|travis token|travis ci token", (BASE64URL, 22))
named("drone_token", "drone token|drone server token", (BASE62, 32))
named("codecov_token", "codecov token", U)
named("snyk_token", "snyk token|snyk api token", U)
prefixed("sonar_token", ["sqp_", "squ_", "sqa_"], (HEX, 40))
named("jenkins_api_token", "jenkins api token|jenkins token", "11", (HEX, 32))
named("terraform_registry_token", "scalr token|spacelift api key secret|env0 api secret", (BASE62, 48))

# --- package registries
prefixed("pypi_token", lambda r: "pypi-" + c.b64url(b"\x02\x01\x08pypi.org\x02\x24" + U(r).encode() + b"\x00\x02\x2a" + b'[3,"' + U(r).encode() + b'"]' + b"\x00\x00\x06\x20" + a.random_bytes(r, 32)))
prefixed("testpypi_token", lambda r: "pypi-" + c.b64url(b"\x02\x01\x0dtest.pypi.org\x02\x24" + U(r).encode() + b"\x00\x02\x2a" + b'[3,"' + U(r).encode() + b'"]' + b"\x00\x00\x06\x20" + a.random_bytes(r, 32)))
prefixed("crates_io_token", "cio", (BASE62, 32))
prefixed("rubygems_token", "rubygems_", (HEX, 48))
prefixed("nuget_api_key", "oy2", (BASE36, 43))
prefixed("dockerhub_token", "dckr_pat_", (BASE64URL, 27))
prefixed("dockerhub_org_token", "dckr_oat_", (BASE64URL, 32))
prefixed("artifactory_api_key", "AKCp8", (BASE62, 68))
prefixed("artifactory_reference_token", lambda r: c.b64(b"reftkn:01:" + a.text(r, DIGITS, 10).encode() + b":" + a.text(r, BASE62, 27).encode()))
prefixed("clojars_token", "CLOJARS_", (HEX, 60))
prefixed("packagist_token", "packagist_", ["uut", "oat", "ort"], "_", (HEX, 68))
named("cloudsmith_api_key", "cloudsmith api key", (HEX, 40))
prefixed("gemfury_token", "fury_", ["deploy", "push"], "_", (BASE62, 32))
named("hex_pm_key", "hex api key|hex pm api key", (HEX, 32))
named("quay_robot_token", "quay token|quay robot token|quay password", (BASE36_UPPER, 64))

# --- payment
prefixed("stripe_secret_key", "sk_live_51", (BASE62, 97))
prefixed("stripe_test_key", "sk_test_51", (BASE62, 97))
prefixed("stripe_restricted_key", ["rk_live_51", "rk_test_51"], (BASE62, 97))
prefixed("stripe_webhook_secret", "whsec_", (BASE62, 32))
prefixed("square_access_token", "EAAA", (BASE64URL, 60))
prefixed("square_oauth_secret", "sq0csp-", (BASE64URL, 43))
prefixed("braintree_access_token", "access_token$", ["production", "sandbox"], "$", (BASE36, 16), "$", (HEX, 32))
named("paypal_client_secret", "paypal client secret|paypal secret", "E", (BASE64URL, 79))
prefixed("adyen_api_key", "AQE", (LOWER, 1), "hm", (BASE64, (70, 110)), ["=", "=="], "-", (BASE64, 43), "=-", (BASE64, 16))
prefixed("razorpay_key", ["rzp_live_", "rzp_test_"], (BASE62, 14))
named("razorpay_secret", "razorpay key secret|razorpay secret", (BASE62, 24))
named("plaid_secret", "plaid secret|plaid client secret", (HEX, 30))
prefixed("plaid_access_token", "access-", ["sandbox", "production"], "-", U)
prefixed("flutterwave_secret", "FLWSECK", ["", "_TEST"], "-", (HEX, 32), "-X")
named("mollie_api_key", "mollie api key|mollie key", ["live_", "test_"], (BASE62, 30))
named("gocardless_token", "gocardless access token|gc access token", ["live_", "sandbox_"], (BASE64URL, 40))
prefixed("paddle_api_key", ["pdl_live_apikey_", "pdl_sdbx_apikey_"], (BASE36, 26), "_", (BASE62, 22), "_", (BASE62, 3))
for _detector, _prefix in {"shopify_access_token": "shpat_", "shopify_custom_app_token": "shpca_",
                           "shopify_private_app_password": "shppa_", "shopify_shared_secret": "shpss_"}.items():
    prefixed(_detector, _prefix, (HEX, 32))
prefixed("easypost_api_key", ["EZAK", "EZTK"], (BASE62, 54))
prefixed("shippo_token", ["shippo_live_", "shippo_test_"], (HEX, 40))
prefixed("duffel_token", ["duffel_live_", "duffel_test_"], (BASE64URL, 43))
named("coinbase_api_secret", "coinbase api secret|coinbase secret", (BASE62, 64))
named("binance_api_key", "binance api key|binance api secret|binance secret key", (BASE62, 64))
named("kraken_private_key", "kraken private key|kraken api secret", lambda r: c.b64(a.random_bytes(r, 64)))

# --- messaging
prefixed("slack_bot_token", "xoxb-", (DIGITS, 12), "-", (DIGITS, 13), "-", (BASE62, 24))
prefixed("slack_user_token", "xoxp-", (DIGITS, 12), "-", (DIGITS, 12), "-", (DIGITS, 13), "-", (HEX, 32))
prefixed("slack_app_token", "xapp-1-A", (BASE36_UPPER, 10), "-", (DIGITS, 13), "-", (HEX, 64))
prefixed("slack_config_token", "xoxe.xoxp-1-", (BASE62, 166))
prefixed("slack_legacy_token", ["xoxa-2-", "xoxs-", "xoxo-"], (DIGITS, 12), "-", (DIGITS, 12), "-", (DIGITS, 12), "-", (HEX, 10))
prefixed("slack_webhook", "https://hooks.slack.com/services/T0", (BASE36_UPPER, 9), "/B0", (BASE36_UPPER, 9), "/", (BASE62, 24))
prefixed("discord_bot_token", lambda r: c.b64url(str(r.randint(4 * 10**17, 13 * 10**17)).encode()) + "." + a.text(r, BASE64URL, 6) + "." + a.text(r, BASE64URL, 38))
prefixed("discord_webhook", "https://discord.com/api/webhooks/", (DIGITS, 19), "/", (BASE64URL, 68))
prefixed("telegram_bot_token", lambda r: str(r.randint(10**8, 8 * 10**9)), ":AA", (BASE64URL, 33))
prefixed("twilio_api_key", "SK", (HEX, 32))
prefixed("twilio_account_sid", "AC", (HEX, 32))
named("twilio_auth_token", "twilio auth token", (HEX, 32))
prefixed("sendgrid_api_key", "SG.", (BASE64URL, 22), ".", (BASE64URL, 43))
prefixed("mailgun_api_key", "key-", (HEX, 32))
named("mailgun_signing_key", "mailgun webhook signing key|mailgun signing key", (HEX, 32))
prefixed("mailchimp_api_key", (HEX, 32), "-us", lambda r: str(r.randint(1, 22)))
prefixed("mandrill_api_key", "md-", (BASE64URL, 22))
prefixed("brevo_api_key", "xkeysib-", (HEX, 64), "-", (BASE62, 16))
prefixed("brevo_smtp_key", "xsmtpsib-", (HEX, 64), "-", (BASE62, 16))
named("postmark_token", "postmark server token|postmark api token|x postmark server token", U)
prefixed("resend_api_key", "re_", (BASE62, 8), "_", (BASE62, 24))
named("sparkpost_api_key", "sparkpost api key", (HEX, 40))
prefixed("teams_webhook", "https://acme", (LOWER, 4), ".webhook.office.com/webhookb2/", U, "@", U, "/IncomingWebhook/", (HEX, 32), "/", U)
prefixed("google_chat_webhook", "https://chat.googleapis.com/v1/spaces/AAAA", (BASE64URL, 7), "/messages?key=AIzaSy", (BASE64URL, 33), "&token=", (BASE64URL, 43))
named("line_channel_token", "line channel access token|line access token", (BASE64, 170), "=")
named("vonage_api_secret", "vonage api secret|nexmo api secret", (BASE62, 16))
prefixed("intercom_token", lambda r: c.b64(b"tok:" + a.text(r, HEX, 8).encode() + b"_" + a.text(r, HEX, 4).encode() + b"_" + a.text(r, HEX, 4).encode() + b"_" + a.text(r, HEX, 4).encode() + b"_" + a.text(r, HEX, 12).encode() + b":1:0"))
named("zendesk_token", "zendesk api token|zendesk token", (BASE62, 40))


def matrix_token(r):
    base = "syt_" + c.b64url(r.choice([b"alice", b"bot", b"bridge"])) + "_" + a.text(r, LOWER + UPPER, 20)
    return base + "_" + c.base62(c.crc32(base), 6)


prefixed("matrix_access_token", matrix_token)
named("pushover_token", "pushover token|pushover api token|pushover user key", "a", (BASE36, 29))
prefixed("customerio_key", ["pk_prod_", "pk_test_"], (BASE36_UPPER, 28))
prefixed("facebook_access_token", "EAA", (BASE62, (160, 200)))
prefixed("facebook_app_token", lambda r: str(r.randint(10**14, 9 * 10**15)) + "|" + a.text(r, BASE64URL, 27))
named("facebook_app_secret", "facebook app secret|fb app secret|meta app secret", (HEX, 32))
prefixed("instagram_access_token", "IGAA", (BASE64URL, (150, 180)))
prefixed("twitter_bearer_token", "AAAAAAAAAAAAAAAAAAAAA", (BASE62, 25), "%3D", (BASE62, 50))
named("twitter_api_secret", "twitter api secret|twitter consumer secret|twitter api key secret", (BASE62, 50))
named("twitter_access_token", "twitter access token", lambda r: str(r.randint(10**8, 18 * 10**17)) + "-" + a.text(r, BASE62, 40))
named("linkedin_client_secret", "linkedin client secret", (BASE62, 16))
named("linkedin_access_token", "linkedin access token", "AQ", (UPPER, 1), (BASE64URL, (250, 330)))
named("twitch_token", "twitch client secret|twitch oauth token|twitch access token", (BASE36, 30))
named("reddit_client_secret", "reddit client secret|reddit secret", (BASE64URL, 30))
named("spotify_client_secret", "spotify client secret", (HEX, 32))
prefixed("dropbox_token", "sl.", ["", "u."], (BASE64URL, (136, 200)))
named("dropbox_app_secret", "dropbox app secret|dropbox secret", (BASE36, 15))

# --- models and tools around them
prefixed("anthropic_api_key", "sk-ant-api03-", (BASE64URL, 93), "AA")
prefixed("anthropic_admin_key", "sk-ant-admin01-", (BASE64URL, 93), "AA")
prefixed("anthropic_oauth_token", ["sk-ant-oat01-", "sk-ant-ort01-"], (BASE64URL, 93), "AA")
prefixed("anthropic_session_key", "sk-ant-sid01-", (BASE64URL, 86), "-", (BASE62, 6), "AA")
prefixed("openai_api_key", "sk-", (BASE62, 20), "T3BlbkFJ", (BASE62, 20))
prefixed("openai_project_key", "sk-proj-", (BASE64URL, 74), "T3BlbkFJ", (BASE64URL, 73), "A")
prefixed("openai_service_key", "sk-svcacct-", (BASE64URL, 74), "T3BlbkFJ", (BASE64URL, 73), "A")
prefixed("openai_admin_key", "sk-admin-", (BASE64URL, 58), "T3BlbkFJ", (BASE64URL, 58))
prefixed("openai_ephemeral_key", "ek_", (HEX, 32))
prefixed("sk_api_key", lambda r: "sk-" + (a.text(r, HEX, 32) if r.random() < .5 else a.text(r, BASE62, 48)))
prefixed("openrouter_api_key", "sk-or-v1-", (HEX, 64))
prefixed("huggingface_token", "hf_", (LOWER + UPPER, 34))
prefixed("huggingface_org_token", "api_org_", (LOWER + UPPER, 34))
prefixed("replicate_api_token", "r8_", (BASE62, 37))
named("cohere_api_key", "cohere api key|co api key|cohere token", (BASE62, 40))
prefixed("groq_api_key", "gsk_", (BASE62, 52))
named("mistral_api_key", "mistral api key|mistral key", (BASE62, 32))
prefixed("perplexity_api_key", "pplx-", (BASE62, 48))
prefixed("xai_api_key", "xai-", (BASE62, 80))
named("together_api_key", "together api key|together ai api key", (HEX, 64))
prefixed("fireworks_api_key", "fw_", (BASE62, (22, 24)))
prefixed("anyscale_api_key", "esecret_", (BASE36, 26))
prefixed("voyage_api_key", "pa-", (BASE64URL, 43))
prefixed("jina_api_key", "jina_", (HEX, 32), (BASE64URL, 28))
prefixed("elevenlabs_api_key", "sk_", (HEX, 48))
named("assemblyai_api_key", "assemblyai api key|assembly ai key", (HEX, 32))
named("deepgram_api_key", "deepgram api key", (HEX, 40))
named("ai21_api_key", "ai21 api key", (BASE62, 32))
prefixed("langsmith_api_key", "lsv2_", ["pt", "sk"], "_", (HEX, 32), "_", (HEX, 10))
prefixed("langfuse_secret_key", "sk-lf-", U)
prefixed("pinecone_api_key", "pcsk_", (BASE62, 6), "_", (BASE62, 63))
named("wandb_api_key", "wandb api key", (HEX, 40))
prefixed("cerebras_api_key", "csk-", (BASE36, 48))
prefixed("nvidia_api_key", "nvapi-", (BASE64URL, 64))
named("zhipu_api_key", "zhipuai api key|zhipu api key|zai api key", (HEX, 32), ".", (BASE62, 16))
prefixed("cursor_api_key", "key_", (HEX, 64))
prefixed("tavily_api_key", ["tvly-", "tvly-dev-"], (BASE62, 32))
prefixed("firecrawl_api_key", "fc-", (HEX, 32))
named("exa_api_key", "exa api key", U)
named("serpapi_key", "serpapi api key|serpapi key", (HEX, 64))
named("brave_search_key", "brave api key|brave search api key|x subscription token", "BSA", (BASE64URL, 28))
prefixed("apify_token", "apify_api_", (BASE62, 36))
prefixed("e2b_api_key", "e2b_", (HEX, 40))
named("baseten_api_key", "baseten api key", (BASE62, 8), ".", (BASE62, 32))
named("modal_token", "modal token id|modal token secret", ["ak-", "as-"], (BASE62, 22))
prefixed("runpod_api_key", "rpa_", (BASE36_UPPER, 43))
prefixed("daytona_api_key", "dtn_", (HEX, 64))
prefixed("helicone_api_key", lambda r: "sk-helicone-" + "-".join(a.text(r, BASE36, 7) for _ in range(4)))
named("roboflow_api_key", "roboflow api key", (BASE62, 20))

# --- observability
named("datadog_api_key", "datadog api key|dd api key|dd client api key", (HEX, 32))
named("datadog_app_key", "datadog app key|dd app key|dd application key", (HEX, 40))
prefixed("newrelic_user_key", "NRAK-", (BASE36_UPPER, 27))
prefixed("newrelic_license_key", (HEX, 32), "FFFFNRAL")
prefixed("newrelic_insert_key", ["NRII-", "NRIQ-"], (BASE64URL, 32))
prefixed("newrelic_browser_key", "NRJS-", (HEX, 19))


def grafana(r):
    base = "glsa_" + a.text(r, BASE62, 32)
    return base + "_" + c.crc32(base).to_bytes(4, "little").hex()


prefixed("grafana_service_token", grafana)
prefixed("grafana_cloud_token", lambda r: "glc_" + c.b64(json.dumps({"o": a.digits(r, 6), "n": "stack-" + a.digits(r, 6) + "-hl-write", "k": a.text(r, BASE62, 24), "m": {"r": "prod-eu-west-2"}}).encode()))
prefixed("grafana_api_key", lambda r: c.b64(('{"k":"' + a.text(r, BASE62, 32) + '","n":"' + r.choice(["grafana", "admin", "ci-key"]) + '","id":1}').encode()))
prefixed("sentry_org_token", lambda r: "sntrys_" + c.b64(('{"iat":17' + a.digits(r, 8) + '.' + a.digits(r, 6) + ',"url":"https://sentry.io","region_url":"https://us.sentry.io","org":"acme"}').encode()) + "_" + a.text(r, BASE64, 43))
prefixed("sentry_user_token", "sntryu_", (HEX, 64))
named("pagerduty_api_key", "pagerduty api key|pagerduty token|pd api token", (BASE62 + "_+-", 19), (BASE62, 1))
prefixed("honeycomb_api_key", ["hcaik_", "hcbik_", "hcxik_"], "01", (BASE36, 56))
named("rollbar_token", "rollbar access token|rollbar token", (HEX, 32))
named("bugsnag_api_key", "bugsnag api key", (HEX, 32))
prefixed("dynatrace_token", "dt0c01.", (BASE32, 24), ".", (BASE32, 64))
named("splunk_hec_token", "splunk hec token|splunk token|hec token", U)
named("sumologic_access_key", "sumologic access key|sumo access key", (BASE62, 64))
named("logdna_key", "logdna ingestion key|logdna key|mezmo key", (HEX, 32))
named("opsgenie_api_key", "opsgenie api key", U)
named("betterstack_token", "betterstack token|logtail source token|better uptime token", (BASE62, 24))
prefixed("launchdarkly_sdk_key", ["sdk-", "mob-"], U)
prefixed("launchdarkly_api_token", "api-", U)
prefixed("checkly_api_key", "cu_", (HEX, 32))
prefixed("prefect_api_key", ["pnu_", "pnb_"], (BASE62, 36))
prefixed("posthog_api_key", "phx_", (BASE62, 43))
prefixed("segment_write_key", "sgp_", (BASE62, 64))
prefixed("statsig_secret", "secret-", (BASE62, 43))

# --- applications
prefixed("linear_api_key", "lin_api_", (BASE62, 40))
prefixed("linear_oauth_token", "lin_oauth_", (HEX, 64))
prefixed("notion_token", "ntn_", (DIGITS, 11), (BASE62, 35))
prefixed("notion_legacy_token", "secret_", (BASE62, 43))
prefixed("airtable_token", "pat", (BASE62, 14), ".", (HEX, 64))
named("airtable_legacy_key", "airtable api key", "key", (BASE62, 14))
prefixed("asana_token", ["1/", "2/"], lambda r: "12" + a.digits(r, 14), ["", "/12%014d" % 4711], ":", (HEX, 32))
named("asana_client_secret", "asana client secret", (HEX, 32))
named("atlassian_legacy_token", "jira api token|atlassian api token|confluence token|jira token", (BASE62, 24))
prefixed("trello_token", "ATTA", (HEX, 64), (HEX.upper(), 8))
named("trello_api_key", "trello api key|trello key", (HEX, 32))
prefixed("clickup_token", "pk_", lambda r: a.digits(r, 8), "_", (BASE36_UPPER, 32))
prefixed("typeform_token", "tfp_", (BASE64URL, 44), "_", (BASE62, 14))
prefixed("hubspot_token", ["pat-na1-", "pat-eu1-", "pat-na2-"], U)
prefixed("salesforce_access_token", "00D", (BASE62, 12), "!AQ", (BASE62 + "._", (90, 94)), (BASE62, 1))
prefixed("salesforce_consumer_key", "3MVG9", (BASE62 + "._", 79), (BASE62, 1))
prefixed("zapier_webhook", "https://hooks.zapier.com/hooks/catch/", (DIGITS, 8), "/", (BASE36, 7))
prefixed("figma_token", "figd_", (BASE64URL, 40))
prefixed("postman_api_key", "PMAK-", (HEX, 24), "-", (HEX, 34))
prefixed("readme_api_key", "rdme_", (BASE36, 70))
prefixed("contentful_token", "CFPAT-", (BASE64URL, 43))
named("contentful_delivery_token", "contentful access token|contentful delivery token", (BASE64URL, 43))
named("sanity_token", "sanity api token|sanity token", "sk", (BASE62, 178))
named("storyblok_token", "storyblok token|storyblok oauth token", "sb-", (BASE64URL, 48))
named("algolia_admin_key", "algolia admin key|algolia api key|algolia admin api key", (HEX, 32))
prefixed("mapbox_secret_token", lambda r: "sk." + c.b64url(json.dumps({"u": "acme" + a.text(r, LOWER, 4), "a": "c" + a.text(r, BASE36, 24)}, separators=(",", ":")).encode() + b" " * 6) + "." + a.text(r, BASE64URL, 22))
prefixed("mapbox_public_token", lambda r: "pk." + c.b64url(json.dumps({"u": "acme" + a.text(r, LOWER, 4), "a": "c" + a.text(r, BASE36, 24)}, separators=(",", ":")).encode()) + "." + a.text(r, BASE64URL, 22))
named("here_api_key", "here api key|here maps api key", (BASE64URL, 43))
named("shodan_api_key", "shodan api key", (BASE62, 32))
named("virustotal_api_key", "virustotal api key|vt api key", (HEX, 64))
named("infura_api_key", "infura api key|infura project secret", (HEX, 32))
named("alchemy_api_key", "alchemy api key", (BASE64URL, 32))
named("etherscan_api_key", "etherscan api key|bscscan api key", (BASE36_UPPER, 34))
prefixed("adafruit_io_key", "aio_", (BASE62[10:], 4), (DIGITS, 2), (BASE62, 22))
prefixed("adobe_client_secret", "p8e-", (BASE64URL, 32))
named("rapidapi_key", "x rapidapi key|rapidapi key", (BASE36, 10), "msh", (BASE36, 15), "p1", (BASE36, 6), "jsn", (BASE36, 12))
prefixed("frameio_token", "fio-u-", (BASE64URL, 64))
named("lob_api_key", "lob api key|lob secret key", ["live_", "test_"], (HEX, 35))
named("browserstack_key", "browserstack access key", (BASE62, 20))
named("saucelabs_key", "sauce access key|sauce labs access key", U)
prefixed("sourcegraph_cody_license", "slk_", (HEX, 64))
named("workos_api_key", "workos api key", ["sk_", "sk_test_"], (BASE62, 80))
prefixed("maxmind_license_key", (BASE62, 6), "_", (BASE62, 29), "_mmk")
named("openweather_api_key", "openweather api key|openweathermap api key|owm api key", (HEX, 32))

# --- keys
prefixed("age_secret_key", lambda r: c.bech32("age-secret-key-", c.five_bit_groups(a.random_bytes(r, 32))).upper())
prefixed("nostr_secret_key", lambda r: c.bech32("nsec", c.five_bit_groups(a.random_bytes(r, 32))))
prefixed("bip32_private_key", lambda r: c.base58check(b"\x04\x88\xad\xe4" + bytes([r.randrange(6)]) + a.random_bytes(r, 40) + b"\0" + a.random_bytes(r, 32)))


def stellar(r):
    payload = b"\x90" + a.random_bytes(r, 32)
    data = payload + c.crc16_xmodem(payload).to_bytes(2, "little")
    import base64
    return base64.b32encode(data).decode()


prefixed("json_web_token", lambda r: c.b64url(json.dumps({"alg": r.choice(["HS256", "RS256", "ES256"]), "typ": "JWT"}, separators=(",", ":")).encode()) + "." + c.b64url(json.dumps({"sub": a.digits(r, 10), "iat": r.randint(16 * 10**8, 18 * 10**8), "scope": r.choice(["read", "admin", "user:email"])}, separators=(",", ":")).encode()) + "." + a.text(r, BASE64URL, r.choice([43, 86, 342])))
named("ethereum_private_key", "private key|eth private key|wallet private key|deployer private key", ["", "0x"], (HEX, 64))
named("solana_private_key", "solana private key|phantom private key", lambda r: a.text(r, "12345", 1) + a.text(r, a.BASE58, 87))
named("wireguard_private_key", "PrivateKey|wg private key|wireguard private key", lambda r: c.b64(a.random_bytes(r, 32)))
prefixed("minisign_secret_key", lambda r: "RWRT" + c.b64(a.random_bytes(r, 155))[:208])

# --- known only by a generic name
named("generic_api_key", "api key|internal api key|service key|billing service api key|access key|encryption key", (BASE62, (24, 44)))
named("generic_secret", "secret|client secret|app secret|jwt secret|session secret|webhook secret", (BASE62, (24, 44)))
named("generic_token", "access token|auth token|refresh token|bot token|deploy token|api token", (BASE62, (24, 44)))
