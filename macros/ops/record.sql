{#-
  The record of runs (python/strata/record.py): what dbt knows of a run and Python does not, and the files of the record as tables.
-#}

{#-
  Have Delta write this run's id into each commit of the session. A cluster has a session for each connection, and each says it as it
  is opened: python/strata/cluster.py.
-#}
{% macro sign_commits() %}
    {%- if execute -%}
        set spark.databricks.delta.commitInfo.userMetadata={{ modules.strata.run_id() }}
    {%- endif -%}
{% endmacro %}


{#- Note what the data tests of a run have found: how many rows, and up to `kept_failures` of them. -#}
{% macro record_failures(results) %}
    {%- if execute -%}
        {%- for result in results if result.node.resource_type == 'test' and result.failures and result.status in ('fail', 'warn') -%}
            {%- set found = none -%}
            {%- if var('kept_failures') -%}
                {%- set found = modules.strata.attempt(
                    run_query, 'select * from (' ~ result.node.compiled_code ~ '\n) as found limit ' ~ var('kept_failures')
                ) -%}
            {%- endif -%}
            {% do modules.strata.note_failure(
                result.node.unique_id, result.failures, found.column_names if found else [], found.rows if found else []
            ) %}
        {%- endfor -%}
        {% do adapter.dispatch('note_versions', 'strata')() %}
    {%- endif -%}
{% endmacro %}


{#- The versions of tables in the lake stand in their logs, which Python reads. -#}
{% macro spark__note_versions() %}
{% endmacro %}


{#- The runs of the record, by the fields of their files that are named, as Spark names types; of a run that has ended, as it ended. -#}
{% macro runs_of_record(fields) -%}
    {%- set run = 'run_id string, status string, ' ~ fields -%}
    {%- if execute and modules.strata.has_any() %}
    select run.*
    from (
        select max_by(run, run.status <> 'running') as run
        from (
            select from_json(value, {{ _text_literal(run) }}) as run
            from text.`{{ _literal_path(env_var('STRATA_LAKE')) | replace('`', '``') }}/runs`
        )
        group by run.run_id
    )
    {%- else %}
    select run.*
    from (select from_json(cast(null as string), {{ _text_literal(run) }}) as run)
    where run is not null
    {%- endif %}
{%- endmacro %}
