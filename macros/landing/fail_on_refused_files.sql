{#-
  End a run as failed, with a sentence for each refused file, after everything else has been built. Runs that did not
  look at the landed files (no model with file states among `results`) say nothing.

  The hook is a statement that fails: an exception raised here would end dbt as if by a keyboard interrupt, without its
  results (dbt-core 1.11.16). `cache table` is evaluated at once, a plain select never.
-#}
{% macro fail_on_refused_files(results) %}
    {%- if execute -%}
        {%- set sentences = [] -%}
        {%- for result in results
            if result.node.resource_type == 'model'
            and result.node.config.meta.get('scope') == 'files_to_judge'
            and result.status == 'success'
        -%}
            {%- set sql -%}
                select path, reason from {{ built_relation(result.node.name) }}
                where status = 'refused'
                order by path
            {%- endset -%}
            {%- for row in run_query(sql) -%}
                {#- A line for each, whatever the name holds. -#}
                {% do sentences.append(
                    'The file ' ~ row[0] | replace('\n', '\\n') | replace('\r', '\\r') ~ ' was refused: ' ~ row[1]
                    ~ '; mend it or take it away, and everything else is built.'
                ) %}
            {%- endfor -%}
        {%- endfor -%}
        {%- if sentences -%}
            cache table refused_files as select raise_error({{ text_literal('\n' ~ sentences | join('\n')) }})
        {%- endif -%}
    {%- endif -%}
{% endmacro %}
