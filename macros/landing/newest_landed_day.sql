{#-
  What `dbt source freshness` asks of each source (dbt_project.yml): one timestamp, the newest landed day, at its first moment;
  of files that lie in no folder of a day, when the newest was modified. Null before anything has landed. A file with a fault
  does not count, nor does a day that has not come. The listing is this command's own.
-#}
{% macro newest_landed_day(name) -%}
    {%- set unreadable = env_var('STRATA_UNREADABLE_' ~ name | upper, '') -%}
    {%- if unreadable -%}
        {% do exceptions.raise_compiler_error(unreadable) %}
    {%- endif -%}
    select max(coalesce(cast(landed_on as timestamp), modified_at)) as newest_landed_day
    from ({{ _listed_files(name) }})
    where fault is null and coalesce(cast(landed_on as timestamp), modified_at) <= current_timestamp()
{%- endmacro %}
