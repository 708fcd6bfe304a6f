{#-
  Grants are Databricks' alone: GRANT is no statement of open-source Spark, where access is by the keys of the store
  (conf/s3_policy.json).
-#}
{% macro spark__apply_grants(relation, grant_config, should_revoke=True) %}
    {%- if target.get('cluster') or target.get('endpoint') -%}
        {{ return(default__apply_grants(relation, grant_config, should_revoke)) }}
    {%- endif -%}
{% endmacro %}
